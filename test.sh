#!/usr/bin/env bash
# Builds everything with warnings as errors and runs every test project. Works from any folder.
#
#   ./test.sh                       all tests
#   ./test.sh --filter Replay       further arguments go to `dotnet test`
#   CONFIGURATION=Debug ./test.sh   (default: Release)
#   ./test.sh --mutation [FILE...]  no tests of its own: changes the code in many small ways and counts the changes that no unit test notices (dotnet-stryker,
#                                   a local tool). FILE as in gateway/, e.g. Gate/RawTarget.cs; without one the vital files. Takes from minutes to an hour; the
#                                   score of each file stands in the table at the end, the survivors in the report under artifacts/mutation.
#
# The last line of output is always "N passed, N failed". Skipped tests are in neither number.
# Exit code 0 only when at least one test ran and none failed; a test project that breaks off counts as one failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Programs the tests start, as "command:debian-package"; one word more is all a new one needs.
needed=(redis-server:redis-server haproxy:haproxy chromium:chromium promtool:prometheus)
configuration=${CONFIGURATION:-Release}
results=$(mktemp -d)
passed=0
failed=0
trap 'rm -rf "$results"; echo "$passed passed, $failed failed"' EXIT
# CI reads this output; the SDK's first-run texts and terminal control codes are no part of it.
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDTERMINALLOGGER=off

die() {
    echo "test.sh: $*" >&2
    exit 1
}

install_missing() {
    local missing=() entry
    for entry in "${needed[@]}"; do
        command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || die "the tests need ${missing[*]}; install it (Debian: apt-get install ${missing[*]}) or run this where sudo asks for no password"
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "the tests need ${missing[*]}, and there is no apt-get here to install it with"
    echo "installing ${missing[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "could not install ${missing[*]}; see the lines above"
    for entry in "${needed[@]}"; do
        command -v "${entry%%:*}" >/dev/null || die "${entry#*:} is installed and still brings no ${entry%%:*}"
    done
}

# counter FILE NAME: an attribute of the one <Counters …/> element of a .trx file.
counter() {
    grep -o '<Counters [^>]*' "$1" | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*' || echo 0
}

command -v dotnet >/dev/null || die "the .NET SDK of global.json is needed: https://dotnet.microsoft.com/download"

if [ "${1:-}" = --mutation ]; then
    shift
    vital=(Gate/RawTarget.cs Ingress/RequestShapeCheck.cs Authentication/Verifiers/Ed25519.cs Authentication/Verifiers/PublicKeys.cs Authentication/Verifiers/WeakKeys.cs Authentication/Verifiers/RemoteKeys.cs)
    [ $# -gt 0 ] || set -- "${vital[@]}"
    files=()
    for file in "$@"; do
        file=${file#gateway/}
        [ -f "gateway/$file" ] || die "there is no gateway/$file"
        files+=(--mutate "**/$file")
    done
    # What follows is no test run: the line with the numbers of tests is not for it.
    trap 'rm -rf "$results"' EXIT
    output=$PWD/artifacts/mutation
    # The analysis asks `dotnet --info` and gives up after seconds, which a busy machine may need.
    export DOTNET_INFO_WAIT_TIME=${DOTNET_INFO_WAIT_TIME:-120000}
    dotnet tool restore >/dev/null || die "dotnet-stryker of .config/dotnet-tools.json could not be restored"
    cd tests/Gateway.UnitTests
    dotnet stryker --project Gateway.csproj --configuration "$configuration" --concurrency "${MUTATION_CONCURRENCY:-1}" --reporter cleartext --reporter html --reporter json \
        --output "$output" --skip-version-check "${files[@]}"
    exit 0
fi

install_missing

# One compiler for all projects, started once: without it each project loads the compiler and the analyzers anew, a minute of the build. It is sent away
# afterwards, for a process left behind keeps some build machines waiting.
UseSharedCompilation=true dotnet build WebhookEdge.sln --configuration "$configuration" --verbosity quiet -warnaserror || die "the build failed"
dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1 || true

broken=()
for project in tests/*/*.csproj; do
    # The kit is a library: only projects with the test SDK hold tests.
    grep -q 'Microsoft.NET.Test.Sdk' "$project" || continue
    name=$(basename "$project" .csproj)
    echo "== $name"
    code=0
    dotnet test "$project" --no-build --configuration "$configuration" --results-directory "$results" \
        --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=minimal" "$@" || code=$?

    report=$results/$name.trx
    if [ ! -f "$report" ]; then
        # A project whose tests are all filtered away, or that holds none yet, writes no report and succeeds.
        [ "$code" -eq 0 ] || broken+=("$name left no report (exit code $code)")
        continue
    fi
    p=$(counter "$report" passed)
    f=$(($(counter "$report" failed) + $(counter "$report" error) + $(counter "$report" timeout) + $(counter "$report" aborted)))
    passed=$((passed + p))
    failed=$((failed + f))
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        broken+=("$name ended with exit code $code although its report counts no failure")
    fi
done

failed=$((failed + ${#broken[@]}))
[ ${#broken[@]} -eq 0 ] || die "$(printf '%s; ' "${broken[@]}")"
[ $((passed + failed)) -gt 0 ] || die "no test ran"
[ "$failed" -eq 0 ]
