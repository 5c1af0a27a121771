# The password comes from a file and goes on as its hash: it is in no argument, no variable and no file.
set -eu
umask 077
hash=$(printf %s "$(cat /run/secrets/redis/password)" | sha256sum | cut -d ' ' -f 1)
printf 'user default on #%s ~* &* +@all\n' "$hash" > /run/redis/access.conf
exec redis-server /etc/redis/redis.conf
