# PostgreSQL 17 with cached_query, made of Debian's packages only:
#
#   docker build -t cached_query .
#   docker run -d --name db -p 5432:5432 -e POSTGRES_PASSWORD=secret -v db:/var/lib/postgresql cached_query
#   docker exec db psql -c "SELECT * FROM cached_query('SELECT now()', '60s') AS t(now timestamptz)"

FROM debian:trixie-slim AS build
RUN apt-get update && \
	apt-get install -y --no-install-recommends build-essential debhelper postgresql-server-dev-all \
	libhiredis-dev libssl-dev liblz4-dev libzstd-dev
COPY . /src
RUN make -C /src deb

FROM debian:trixie-slim
COPY --from=build /src/dist /tmp/dist
# The cluster is made when a container starts: each has an identity and a password of its own.
RUN mkdir -p /etc/postgresql-common && \
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf && \
	apt-get update && \
	apt-get install -y --no-install-recommends postgresql-17 /tmp/dist/postgresql-17-cached-query_*.deb && \
	rm -rf /var/lib/apt/lists/* /tmp/dist
COPY packaging/docker/start /usr/local/bin/start
USER postgres
VOLUME /var/lib/postgresql
EXPOSE 5432
# A fast shutdown; SIGTERM would wait for all clients.
STOPSIGNAL SIGINT
CMD ["/usr/local/bin/start"]
