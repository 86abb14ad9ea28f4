// pgx: it asks the server for the types of parameters, so each one is cast.
// With v4, import github.com/jackc/pgx/v4, all else is the same.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
)

// $1, $2 inside the quotes are parameters of the cached query, those outside are parameters of the driver.
const latest = `
	SELECT * FROM cached_query(
		'SELECT id, amount::text FROM payments WHERE region = $1 ORDER BY id DESC LIMIT $2',
		'60s', $1::text, $2::bigint) AS t(id bigint, amount text)`

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "") // PGHOST, PGDATABASE, ..
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)

	for i := 0; i < 2; i++ { // the second time from memory
		rows, err := conn.Query(ctx, latest, "north", 2)
		if err != nil {
			log.Fatal(err)
		}
		for rows.Next() {
			var id int64
			var amount string
			if err := rows.Scan(&id, &amount); err != nil {
				log.Fatal(err)
			}
			fmt.Println(id, amount)
		}
		if err := rows.Err(); err != nil {
			log.Fatal(err)
		}
	}

	var body []byte // a document that is passed on stays bytes
	err = conn.QueryRow(ctx, `SELECT cached_query_json('SELECT region, sum(amount) AS total FROM payments
		GROUP BY region ORDER BY region', '60s')::text`).Scan(&body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
}
