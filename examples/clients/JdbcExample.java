// JDBC: java -cp /usr/share/java/postgresql.jar JdbcExample.java [jdbc:postgresql:...]
//
// ? is a parameter of the driver, $1 inside the quotes is a parameter of the cached query.  setInt, setLong, setObject and so on
// send the value with its type, setString as varchar; a cast like ?::date gives another type.  After
// five executions the driver prepares the statement on the server; behind a pooler in transaction
// mode set prepareThreshold=0.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

class JdbcExample {
	static final String LATEST = """
		SELECT * FROM cached_query(
			'SELECT id, amount FROM payments WHERE region = $1 AND id < $2 ORDER BY id DESC LIMIT 2',
			'60s', ?, ?) AS t(id bigint, amount numeric)""";

	public static void main(String[] args) throws SQLException {
		String url = args.length > 0 ? args[0] : "jdbc:postgresql:";

		try (Connection connection = DriverManager.getConnection(url);
				PreparedStatement statement = connection.prepareStatement(LATEST)) {
			for (int i = 0; i < 7; i++) { // from memory but for the first time
				statement.setString(1, "north");
				statement.setLong(2, 900);
				try (ResultSet rows = statement.executeQuery()) {
					while (rows.next())
						System.out.println(rows.getLong("id") + " " + rows.getBigDecimal("amount"));
				}
			}
		}
	}
}
