#!/usr/bin/env bash
# Measures the gateway against bare YARP, nginx (plain, + Lua, + Lua + Redis), HAProxy and adnanh/webhook, and prints the table of loadtests/README.md.
# Installs what is missing (Debian), builds everything in Release, publishes the gateway as it ships. Takes about half an hour; nothing else should run
# on the machine meanwhile.
#
#   loadtests/compare.sh                                        everything
#   loadtests/compare.sh --rounds 1 --seconds 1 --warmup 1      is it all in working order?
#   loadtests/compare.sh --only yarp gateway nginx-lua --sizes 600
#   loadtests/compare.sh --help
#
# The table goes to standard output, progress to standard error. No table and exit code 1 when a contender gave a wrong answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDTERMINALLOGGER=off PATH="$PATH:/usr/sbin:/sbin"

# As "command or file:debian-package".
needed=(
    nginx:nginx
    /usr/lib/nginx/modules/ngx_http_lua_module.so:libnginx-mod-http-lua
    /usr/share/lua/5.1/resty/core.lua:lua-resty-core
    haproxy:haproxy
    webhook:webhook
    wrk:wrk
    redis-server:redis-server
    taskset:util-linux
)

die() {
    echo "compare.sh: $*" >&2
    exit 1
}

is_there() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for entry in "${needed[@]}"; do
    is_there "${entry%%:*}" || missing+=("${entry#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || die "needs ${missing[*]}; install it (Debian: apt-get install ${missing[*]}) or run this where sudo asks for no password"
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "needs ${missing[*]}, and there is no apt-get here to install it with"
    echo "installing ${missing[*]}" >&2
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >&2 || die "could not install ${missing[*]}"
    for entry in "${needed[@]}"; do
        is_there "${entry%%:*}" || die "${entry#*:} is installed and still brings no ${entry%%:*}"
    done
fi

dotnet publish gateway --configuration Release --use-current-runtime --self-contained false --output artifacts/compare/gateway --verbosity quiet >&2 || die "the gateway's build failed"
dotnet build loadtests --configuration Release --verbosity quiet >&2 || die "the load tools' build failed"
exec dotnet loadtests/bin/Release/net10.0/WebhookEdge.LoadTests.dll compare --gateway artifacts/compare/gateway/webhookedge "$@"
