# Ready once the append-only file is loaded.
REDISCLI_AUTH="$(cat /run/secrets/redis/password)" redis-cli --no-auth-warning ping | grep -q PONG
