// Command recompute works out cash, commission, profit and positions from a
// list of executions, beside the product's own books:
//
//	traderctl export executions | go run ./scripts/recompute --cash 1000000
//
// It promises exact arithmetic (rationals) and nothing shared with what it
// checks: it imports no package of this module. It refuses a file that does not
// tell all that it needs, with line, column and value; a commission that is not
// known yet is a fault and not 0. It does not look at prices beyond executions,
// so it tells no unrealised profit.
//
// # Design
//
// The method is average cost. What closes a part of a position realises its
// value less the same part of the position's cost, before commission; what goes
// through zero closes the whole and opens the rest. A round trip is a position
// that was opened and came back to zero, or went through it. Executions count
// in the order of the file, which is to be that in which they happened.
//
// Amounts are decimal text. They are exact; only a part of a cost may have no
// end as a decimal (a third of something), and is then given to sixteen
// decimals, with "rounded": true beside it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

const usage = `usage: recompute [--cash AMOUNT] [--account ID] [FILE]
Reads the CSV of "traderctl export executions" from FILE or standard input and
prints what follows from it as JSON.
`

// run is main with what it needs; it returns 0, 1 for executions that cannot
// be used, and 2 for a wrong call.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("recompute", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		fmt.Fprint(errs, usage)
		flags.PrintDefaults()
	}
	cash := flags.String("cash", "0", "cash before the first execution")
	account := flags.String("account", "", "count the executions of this account alone (default: all, which must be one account's)")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 1:
		flags.Usage()
		return 2
	}
	starting, err := parse(*cash)
	if err != nil {
		fmt.Fprintf(errs, "recompute: --cash: %v\n", err)
		return 2
	}
	if flags.NArg() == 1 && flags.Arg(0) != "-" {
		f, err := os.Open(flags.Arg(0))
		if err != nil {
			fmt.Fprintf(errs, "recompute: %v\n", err)
			return 1
		}
		defer f.Close()
		in = f
	}
	list, err := read(in, *account)
	if err != nil {
		fmt.Fprintf(errs, "recompute: %v\n", err)
		return 1
	}
	b := newBook(starting)
	for _, x := range list {
		b.add(x)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b.report()); err != nil {
		fmt.Fprintf(errs, "recompute: %v\n", err)
		return 1
	}
	return 0
}
