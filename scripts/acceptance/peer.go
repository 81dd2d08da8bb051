package acceptance

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	maxConns = 1000    // connections of one scenario
	maxHeard = 100_000 // frames of one connection
	maxNotes = 400     // lines of the transcript
)

// peer is the gateway of one scenario, as far as the script makes it one.
type peer struct {
	address string
	began   time.Time
	market  time.Time // market time at began
	wg      sync.WaitGroup
	quit    chan struct{} // closed when the scenario is over

	mu      sync.Mutex    // guards what follows
	changed chan struct{} // closed and replaced whenever something happens
	ln      *net.TCPListener
	closed  bool // the scenario is over
	conns   []*conn
	rules   rules
	notes   []string
	dropped int      // notes that found no room
	faults  []string // bad manners of the program
}

// open makes a peer that listens on a port of its own.
func open(market time.Time) (*peer, error) {
	p := &peer{began: time.Now(), market: market, quit: make(chan struct{}), changed: make(chan struct{})}
	p.rules.init()
	// Not a port that the system gives out by itself: a scenario closes it for a
	// while, and another program's connection would have it then.
	err := errors.New("no port was tried")
	for range 100 {
		p.address = fmt.Sprintf("127.0.0.1:%d", lowPort+rand.IntN(lowPorts)) //nolint:gosec // no secret
		if err = p.listen(); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	p.wg.Go(p.tick)
	return p, nil
}

// Ports below those that Linux (32768) and others (49152) give out.
const lowPort, lowPorts = 20000, 12000

// listen opens the port, at first any, later the same one again.
func (p *peer) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		return nil
	}
	addr, err := net.ResolveTCPAddr("tcp4", p.address)
	if err != nil {
		return err
	}
	ln, err := net.ListenTCP("tcp4", addr)
	if err != nil {
		return err
	}
	p.ln, p.address = ln, ln.Addr().String()
	p.wg.Go(func() { p.accept(ln) })
	return nil
}

// shut closes the port: from now on it refuses.
func (p *peer) shut() {
	p.mu.Lock()
	ln := p.ln
	p.ln = nil
	p.mu.Unlock()
	if ln != nil {
		_ = ln.Close() // nobody can do anything about it
	}
}

// accept takes connections until the listener is closed.
func (p *peer) accept(ln *net.TCPListener) {
	for {
		c, err := ln.AcceptTCP()
		if err != nil {
			return
		}
		p.mu.Lock()
		k := newConn(p, len(p.conns)+1, c)
		full := p.closed || len(p.conns) >= maxConns
		if !full {
			p.conns = append(p.conns, k)
			p.judgeArrival(k)
			p.noteLocked("conn %d came", k.number)
			p.wg.Go(k.read)
			p.wakeLocked()
		}
		p.mu.Unlock()
		if full {
			_ = c.Close() // a storm, which has failed by now, or nobody to serve it any more
		}
	}
}

// close ends the peer and all that it started.
func (p *peer) close() {
	p.mu.Lock()
	p.closed = true // who comes from now on is sent away
	p.mu.Unlock()
	p.shut()
	close(p.quit)
	for _, k := range p.all() {
		k.thaw()
		_ = k.tcp.Close() // the program has gone
	}
	p.wg.Wait()
}

// all returns the connections so far.
func (p *peer) all() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// wakeLocked tells all who wait that something happened.
func (p *peer) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// note adds a line to the transcript.
func (p *peer) note(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteLocked(format, a...)
}

func (p *peer) noteLocked(format string, a ...any) {
	if len(p.notes) >= maxNotes {
		p.notes = p.notes[1:]
		p.dropped++
	}
	p.notes = append(p.notes, fmt.Sprintf("%8.3f s  ", time.Since(p.began).Seconds())+fmt.Sprintf(format, a...))
}

// transcript returns what went over the wire.
func (p *peer) transcript() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	head := ""
	if p.dropped > 0 {
		head = fmt.Sprintf("(%d lines before)\n", p.dropped)
	}
	return head + strings.Join(p.notes, "\n")
}

// await looks with the peer locked, at once and whenever something happened,
// until look is done or the time is over. It reports whether look was done.
func (p *peer) await(within time.Duration, look func() (done bool)) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		p.mu.Lock()
		done, changed := look(), p.changed
		p.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			p.mu.Lock()
			defer p.mu.Unlock()
			return look()
		}
	}
}

// now is market time.
func (p *peer) now() time.Time { return p.market.Add(time.Since(p.began)) }

// spell writes a payload as a script does: fields by |.
func spell(payload []byte) string {
	const most = 300
	cut := ""
	if len(payload) > most {
		payload, cut = payload[:most], "…"
	}
	var b strings.Builder
	for _, c := range bytes.ReplaceAll(payload, []byte{0}, []byte{'|'}) {
		if c < ' ' || c > '~' {
			fmt.Fprintf(&b, `\x%02x`, c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String() + cut
}
