package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const listenLimit = 100 * time.Millisecond

// listening measures bin/gatewaysim from exec until it tells that it listens.
func listening(ctx context.Context, p plan) (s section, err error) {
	s.title = "simulated gateway: start"
	var took sample
	for range p.starts {
		d, err := listenOnce(ctx, p)
		if err != nil {
			return s, err
		}
		took = append(took, d)
	}
	s.judge(fmt.Sprintf("exec to listening, median of %d", p.starts), millis(took.median()), "100 ms", took.median() <= listenLimit)
	s.add("least, most", millis(took.at(0))+", "+millis(took.at(1)))
	return s, nil
}

const (
	dayPackage   = "./broker/ibkr/gateway"
	dayBenchmark = "BenchmarkDayWithoutClients"
	dayLimit     = 5 * time.Minute
)

// days measures 24 simulated hours without a client, one processor.
func days(ctx context.Context, p plan) (s section, err error) {
	s.title = "simulated gateway: 24 hours of market time without a client"
	list, err := benchmark(ctx, p, 1, "^"+dayBenchmark+"$", dayPackage)
	if err != nil {
		return s, err
	}
	if len(list) == 0 {
		return s, fmt.Errorf("%s has no %s any more", dayPackage, dayBenchmark)
	}
	for _, r := range list {
		took := time.Duration(r.nanos)
		s.judge(r.name, fmt.Sprintf("%v, %s after the first hour", took.Round(time.Millisecond), r.own), dayLimit.String(), took <= dayLimit)
	}
	return s, nil
}

// listenOnce starts the program and ends it in order.
func listenOnce(ctx context.Context, p plan) (d time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "gatewaysim"), "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopWait
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	d = time.Since(began)
	if err != nil {
		err = fmt.Errorf("gatewaysim told nothing but %q: %w", line, err)
	}
	if serr := cmd.Process.Signal(syscall.SIGTERM); serr != nil {
		err = errors.Join(err, serr)
	}
	return d, errors.Join(err, cmd.Wait())
}
