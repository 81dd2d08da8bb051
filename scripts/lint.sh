#!/bin/sh
# Static checks: vet, staticcheck, go.mod, the architecture rules, and the caps
# of the house style, which are questions and do not fail. golangci-lint runs
# too where it is installed; its settings are in .golangci.yml.
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
failed=0

say "go vet"
go vet ./... || failed=1

tool staticcheck honnef.co/go/tools/cmd/staticcheck "$staticcheck_version"
say "staticcheck $staticcheck_version"
"$tool_path" ./... || failed=1

say "go mod tidy -diff"
go mod tidy -diff || failed=1

say "architecture rules"
go test -count=1 ./scripts/archtest || failed=1

say "shell syntax"
for f in start_trader scripts/*.sh scripts/deploy/*.sh .ci/run; do sh -n "$f" || failed=1; done

if command -v golangci-lint >/dev/null 2>&1; then
	say "golangci-lint"
	golangci-lint run ./... || failed=1
else
	say "golangci-lint is not installed: its extra checks are skipped here"
fi

say "caps (questions, not failures): files over 500 lines, functions over 60, packages over 2,500"
go run ./scripts/caps

exit $failed
