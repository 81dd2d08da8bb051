package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// decodeBenchmark decodes one tick an iteration.
const (
	decodePackage   = "./broker/ibkr/wire"
	decodeBenchmark = "BenchmarkDecodeTick"
	decodeLimit     = 1_000_000 // ticks a second on one core, without an allocation
)

// hotPaths are the packages through which a tick, an order or a delta goes;
// all benchmarks that they have are run.
var hotPaths = []string{
	"./broker/ibkr/wire", "./broker/ibkr", "./broker/ibkr/pace", "./services/bus", "./services/event", "./broker/desk", "./runner/...",
	"./services/journal", "./websocket/...", "./broker/exchange",
}

// result is one line of "go test -bench".
type result struct {
	name          string
	nanos         float64
	bytes, allocs int64
	own           string // figures that the benchmark reports itself; then its ns/op means little
}

// code runs the benchmarks of the packages on one core.
func code(ctx context.Context, p plan) (section, error) {
	s := section{title: "code on one core"}
	decoded, err := benchmark(ctx, p, p.gocount, "^"+decodeBenchmark+"$", decodePackage)
	if err != nil {
		return s, err
	}
	if len(decoded) == 0 {
		return s, fmt.Errorf("%s has no %s any more", decodePackage, decodeBenchmark)
	}
	slices.SortFunc(decoded, func(a, b result) int { return int(a.nanos - b.nanos) })
	d := decoded[len(decoded)/2]
	rate := 1e9 / d.nanos
	s.judge("tick decode", fmt.Sprintf("%.1f million a second", rate/1e6), "1.0 million a second", rate >= decodeLimit)
	s.judge("allocations a tick", strconv.FormatInt(d.allocs, 10), "0", d.allocs == 0)
	others, err := benchmark(ctx, p, 1, ".", hotPaths...)
	if err != nil {
		return s, err
	}
	for _, r := range others {
		took := fmt.Sprintf("%.0f ns", r.nanos)
		if r.own != "" {
			took = r.own
		}
		s.add(r.name, fmt.Sprintf("%s, %d B, %d allocations", took, r.bytes, r.allocs))
	}
	return s, nil
}

// benchmark runs the benchmarks that match in packages, on one core.
func benchmark(ctx context.Context, p plan, count int, match string, packages ...string) ([]result, error) {
	out, err := benchmarkOutput(ctx, match, p.gotime, count, packages...)
	return results(out), err
}

// benchmarkOutput is benchmark's output as it is. Times is a duration, or a count
// such as 3x.
func benchmarkOutput(ctx context.Context, match, times string, count int, packages ...string) (string, error) {
	args := append([]string{
		"test", "-run", "^$", "-bench", match, "-benchmem", "-benchtime", times, "-count", strconv.Itoa(count), "-cpu", "1", "-p", "1",
	}, packages...)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go %s: %w:\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

var (
	benchLine   = regexp.MustCompile(`(?m)^(?:pkg: (\S+)|Benchmark(\S+)\s+\d+\s+([0-9.]+) ns/op(.*))$`)
	benchBytes  = regexp.MustCompile(`(\d+) B/op`)
	benchAllocs = regexp.MustCompile(`(\d+) allocs/op`)
	benchOwn    = regexp.MustCompile(`(-?[0-9.]+) ([^\s]*µs[^\s]*|KiB-grown/day|ms-to-[^\s]+|reports/s)`)
)

// results reads the output of "go test -bench -benchmem".
func results(out string) []result {
	var list []result
	pkg := ""
	for _, m := range benchLine.FindAllStringSubmatch(out, -1) {
		if m[1] != "" {
			pkg = strings.TrimPrefix(m[1], "robotrader/")
			continue
		}
		r := result{name: pkg + " " + m[2]}
		r.nanos, _ = strconv.ParseFloat(m[3], 64) // digits, by the expression
		r.bytes, r.allocs = number(benchBytes, m[4]), number(benchAllocs, m[4])
		for i, own := range benchOwn.FindAllStringSubmatch(m[4], -1) {
			if i > 0 {
				r.own += ", "
			}
			r.own += own[1] + " " + own[2]
		}
		list = append(list, r)
	}
	return list
}

// number returns what an expression finds, -1 when it finds nothing.
func number(re *regexp.Regexp, in string) int64 {
	m := re.FindStringSubmatch(in)
	if m == nil {
		return -1
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
