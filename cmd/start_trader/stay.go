package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// holdVar is set where whoever starts the program again does not understand exit
// codes, as the engine of a container: with an order to come back after a reboot it
// tries again, once a minute for good, what only a person can mend, and a gateway
// gets a handshake each time. It is no key of the configuration, which may be what is
// at fault.
const holdVar = "ROBOTRADER_HOLD"

// stay keeps the process of a start that failed for good, until it is told to end.
func stay(ctx context.Context, code int, args, environ []string, errs io.Writer) {
	if code != exitUsage && code != exitConfig && code != exitRefused || !held(args, environ) {
		return
	}
	fmt.Fprintf(errs, "start_trader: it would end with code %d, which another start does not mend: it waits, without a connection, until it is told to end (%s is set)\n", code, holdVar)
	<-ctx.Done()
}

// held reports whether the environment asks for it. Whoever looks for once waits for
// an answer.
func held(args, environ []string) bool {
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if strings.HasPrefix(a, "-") && (name == "check" || name == "healthcheck") {
			return false
		}
	}
	return slices.ContainsFunc(environ, func(e string) bool {
		value, ok := strings.CutPrefix(e, holdVar+"=")
		return ok && value != "" && value != "0"
	})
}
