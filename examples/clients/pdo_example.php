<?php
// PDO: values are sent without types and get the types that the cached query expects.
$db = new PDO('pgsql:', null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);

// $1, $2 inside the quotes are parameters of the cached query, ? outside are parameters of PDO.
// The text stands in single quotes of PHP or a nowdoc: in double quotes PHP replaces $names.
$latest = $db->prepare(<<<'SQL'
	SELECT * FROM cached_query(
		'SELECT id, amount, paid FROM payments WHERE region = $1 ORDER BY id DESC LIMIT $2',
		'60s', ?, ?) AS t(id bigint, amount numeric, paid date)
	SQL);

for ($i = 0; $i < 2; $i++) { // the second time from memory
	$latest->execute(['north', 2]);
	foreach ($latest->fetchAll(PDO::FETCH_NUM) as $row)
		echo implode(' ', $row), "\n";
}

// A document that is passed on stays text.
echo $db->query(<<<'SQL'
	SELECT cached_query_json('SELECT region, sum(amount) AS total FROM payments
		GROUP BY region ORDER BY region', '60s')
	SQL)->fetchColumn(), "\n";
