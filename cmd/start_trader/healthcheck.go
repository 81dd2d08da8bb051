package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"robotrader/configs"
	"robotrader/services/diag"
)

// healthWithin bounds the question; a container engine gives it five seconds.
const healthWithin = 3 * time.Second

// healthcheck asks the trader that runs with the data folder whether it serves,
// over HTTP. It is for images that hold nothing else that could ask. The result
// is the exit code: 0 it serves, 1 it does not.
func healthcheck(ctx context.Context, cfg configs.Config, out io.Writer) int {
	say := func(format string, a ...any) int {
		fmt.Fprintf(out, "start_trader --healthcheck: "+format+"\n", a...)
		return exitUnexpected
	}
	place, err := diag.Announced(cfg.Data.Dir)
	if err != nil {
		return say("no trader that serves runs with the data folder %s: %v", cfg.Data.Dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	place.Token = false // a word is enough, and everybody gets it
	res, err := place.Caller(cfg.Data.Dir, healthWithin).Get(ctx, "/healthz")
	if err != nil {
		return say("the trader of %s does not answer: %v", cfg.Data.Dir, err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		return say("the trader of %s answers %s", cfg.Data.Dir, res.Status)
	}
	fmt.Fprintln(out, "serving")
	return exitStopped
}
