package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/services/task"
)

const (
	bufferBytes = 4 << 20                // of each of the two buffers, at most; they grow to it, and shrink again
	firstBytes  = 64 << 10               // of a buffer at the start
	writeEvery  = 100 * time.Millisecond // at most so often, unless half a buffer is full
	retryEvery  = time.Minute            // after a failed write
	maxOpen     = 16                     // sessions that a new segment tells of; there is one, or two for a moment
	maxAccounts = 1000                   // of a session
	maxNote     = 4 << 10                // bytes of a mark's text
	gapRoom     = recordMin + maxNote + 32
)

// Recorder records. Make it with [Start] and end it with Close. It is safe for
// concurrent use.
type Recorder struct {
	log     *slog.Logger
	ring    *ring // the writer's
	tasks   *task.Group
	bound   int           // of a buffer
	longest int           // of a record: what fits into a segment, and a buffer
	some    chan struct{} // capacity 1: the buffer holds something
	much    chan struct{} // capacity 1: the buffer is half full
	flushes chan chan error
	gone    chan struct{} // closed when the writer has ended

	mu       sync.Mutex // guards what follows
	buf      []byte     // unsealed records
	spare    []byte     // the other buffer, nil while it is being written
	lost     loss       // not told by a gap yet
	sessions uint64     // the newest number given out
	open     map[uint64]*openSession
	closed   bool
	stats    Stats
}

// loss is a run of frames that are not recorded.
type loss struct {
	frames uint64
	since  time.Time
	why    string
}

type openSession struct {
	began    time.Time
	gateway  string
	clientID int
	accounts []string
}

// Stats is how recording stands.
type Stats struct {
	// Recording is false while frames are dropped because the disk did not take
	// them; Fault says why, and Since is when it stopped.
	Recording bool      `json:"recording"`
	Fault     string    `json:"fault,omitempty"`
	Since     time.Time `json:"since,omitzero"` // wall time
	Frames    uint64    `json:"frames"`         // recorded: on disk, or in the buffer
	Dropped   uint64    `json:"dropped"`
	Bytes     uint64    `json:"bytes"` // written by this process
	OnDisk    int64     `json:"on_disk"`
	Segments  int       `json:"segments"`
}

// Start begins to record into a data folder. It does not fail: a folder that
// cannot be read or written is told by Stats and the log, and tried again. cfg
// must be valid, and not Off.
func Start(dir string, cfg Config, log *slog.Logger) *Recorder {
	return start(folder{dir}, cfg, bufferBytes, log)
}

func start(files files, cfg Config, bound int, log *slog.Logger) *Recorder {
	if log == nil {
		log = slog.Default()
	}
	r := &Recorder{
		log: log, tasks: task.NewGroup("recorder"), bound: bound,
		longest: min(bound-gapRoom, int(cfg.Segment)-headLen-maxCarried),
		some:    make(chan struct{}, 1), much: make(chan struct{}, 1),
		flushes: make(chan chan error), gone: make(chan struct{}),
		buf: make([]byte, 0, min(bound, firstBytes)), spare: make([]byte, 0, min(bound, firstBytes)),
		open: map[uint64]*openSession{}, stats: Stats{Recording: true},
	}
	r.ring = &ring{files: files, cfg: cfg, head: r.head}
	last, err := r.ring.look()
	r.sessions = last
	if err != nil {
		r.stop(err, 0)
	}
	r.tasks.Go("writer", r.write)
	return r
}

// Begin implements the tap of the ibkr adapter.
func (r *Recorder) Begin(gateway string, clientID int, at time.Time) (session uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions++
	if len(r.open) < maxOpen {
		r.open[r.sessions] = &openSession{began: at, gateway: clip(gateway), clientID: clientID}
	}
	r.put(Begun, r.sessions, at, 0, []byte(beginning(gateway, clientID)))
	return r.sessions
}

func beginning(gateway string, clientID int) string {
	return fmt.Sprintf("%s\x00%d\x00", clip(gateway), clientID)
}

// clip bounds a mark's text.
func clip(s string) string {
	return strings.ReplaceAll(s[:min(len(s), maxNote)], "\x00", " ")
}

// Frame implements the tap. It copies payload and returns at once.
func (r *Recorder) Frame(session uint64, out bool, v wire.Version, at time.Time, payload []byte) {
	kind := In
	if out {
		kind = Out
	}
	var accounts []string
	if !out && namesAccounts(payload) {
		accounts = Record{Kind: In, Version: v, Payload: payload}.accounts()
	}
	r.mu.Lock()
	r.put(kind, session, at, v, payload)
	if s := r.open[session]; s != nil && len(accounts) > 0 {
		s.learn(accounts)
	}
	r.mu.Unlock()
}

func (s *openSession) learn(accounts []string) {
	for _, a := range accounts {
		if len(s.accounts) < maxAccounts && !slices.Contains(s.accounts, a) {
			s.accounts = append(s.accounts, a)
		}
	}
}

// End implements the tap.
func (r *Recorder) End(session uint64, at time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, session)
	r.put(Ended, session, at, 0, []byte(clip(why)))
}

// put appends one record to the buffer, or counts it as lost; mu is held.
func (r *Recorder) put(kind Kind, session uint64, at time.Time, v wire.Version, payload []byte) {
	size := recordMin + len(payload)
	gap := r.gap()
	switch {
	case r.closed:
		r.lose(kind, at, "the recorder was closed")
		return
	case !r.stats.Recording:
		r.lose(kind, at, r.stats.Fault)
		return
	case size > r.longest:
		r.lose(kind, at, "longer than what is kept of one frame")
		return
	case len(r.buf)+gap+size > r.bound-gapRoom:
		r.lose(kind, at, "the disk was slower than the frames")
		return
	}
	was := len(r.buf)
	if need := was + gap + size; cap(r.buf) < need { // by doubling, up to the bound: append alone might pass it
		r.buf = append(make([]byte, 0, min(max(2*cap(r.buf), need), r.bound)), r.buf...)
	}
	r.tellGap()
	r.buf = appendUnsealed(r.buf, kind, session, at, v, payload)
	if kind.Frame() {
		r.stats.Frames++
	}
	if was == 0 {
		nudge(r.some)
	}
	if half := r.bound / 2; was < half && len(r.buf) >= half {
		nudge(r.much)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // nudged already
	}
}

// lose counts one record that is not kept; mu is held.
func (r *Recorder) lose(kind Kind, at time.Time, why string) {
	if !kind.Frame() {
		return
	}
	r.stats.Dropped++
	if r.lost.frames++; r.lost.frames == 1 {
		r.lost.since, r.lost.why = at, why
	}
	nudge(r.some) // a gap is to be told even when nothing follows
}

// gapText is a gap's payload.
func (l loss) gapText() string { return fmt.Sprintf("%d\x00%s\x00", l.frames, clip(l.why)) }

// gap returns how long the mark of what is lost will be at most, 0 when nothing
// is; mu is held.
func (r *Recorder) gap() int {
	if r.lost.frames == 0 {
		return 0
	}
	const digits = 20 // of the greatest count, and two NULs
	return recordMin + digits + 2 + min(len(r.lost.why), maxNote)
}

// tellGap appends the mark of what is lost, if anything is; mu is held.
func (r *Recorder) tellGap() {
	if r.lost.frames > 0 {
		r.buf = appendUnsealed(r.buf, Gap, 0, r.lost.since, 0, r.lost.gapText())
		r.lost = loss{}
	}
}

// Stats returns how recording stands.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// errClosed means that a recorder was used after its end.
var errClosed = errors.New("recorder: closed")

// Flush writes now what was recorded so far, and returns when it is done, or
// with the reason why the disk does not take it.
func (r *Recorder) Flush(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case r.flushes <- answer:
	case <-r.gone:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("recorder: flush: %w", ctx.Err())
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("recorder: flush: %w", ctx.Err())
	}
}

// Close writes what was recorded and ends the writer. What comes afterwards is
// counted and not kept. It fails only when the disk does not answer until ctx
// ends, or by a fault of ours.
func (r *Recorder) Close(ctx context.Context) error {
	return r.tasks.Stop(ctx)
}

// write is the writer goroutine. Start begins it; it ends with the group.
func (r *Recorder) write(ctx context.Context) error {
	defer r.over()
	due, retry := time.NewTimer(writeEvery), time.NewTimer(retryEvery)
	due.Stop()
	defer due.Stop()
	defer retry.Stop()
	armed := false
	for {
		var err error
		select {
		case <-r.some:
			if !armed {
				due.Reset(writeEvery)
			}
			armed = true
		case <-r.much:
			err = r.exchange()
		case <-due.C:
			armed = false
			err = r.exchange()
		case <-retry.C:
			if !r.resume() {
				retry.Reset(retryEvery)
			}
		case answer := <-r.flushes:
			err = r.exchange()
			answer <- r.standing(err)
		case <-ctx.Done():
			r.last()
			return nil
		}
		if err != nil {
			retry.Reset(retryEvery)
		}
	}
}

// standing returns err, or why nothing is recorded.
func (r *Recorder) standing(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && !r.stats.Recording {
		err = errors.New(r.stats.Fault)
	}
	return err
}

// exchange takes the full buffer, leaves the empty one, and writes.
func (r *Recorder) exchange() error {
	r.mu.Lock()
	if r.stats.Recording {
		r.tellGap() // there is room for one
	}
	full := r.buf
	if len(full) == 0 {
		r.mu.Unlock()
		return nil
	}
	r.buf, r.spare = r.spare[:0], nil
	r.mu.Unlock()
	rest, err := r.ring.append(full)
	failed := countFrames(rest)
	r.mu.Lock()
	r.spare = emptied(full)
	r.stats.Bytes, r.stats.OnDisk, r.stats.Segments = r.ring.written, r.ring.total, len(r.ring.segments)
	r.mu.Unlock()
	if err != nil {
		r.stop(err, failed)
	}
	return err
}

// emptied returns a buffer to be used again. One that a burst made long is let go
// when it is hardly used any more.
func emptied(buf []byte) []byte {
	if cap(buf) > firstBytes && len(buf) < cap(buf)/8 {
		return make([]byte, 0, firstBytes)
	}
	return buf[:0]
}

// stop ends recording until the next attempt. The frames that could not be
// written, and those behind them, are lost.
func (r *Recorder) stop(err error, failed uint64) {
	r.mu.Lock()
	gone := failed + countFrames(r.buf)
	since := time.Now()
	if r.lost.frames == 0 {
		r.lost.since = since
	}
	r.lost.frames += gone
	r.lost.why = "recording stopped: " + err.Error()
	r.stats.Frames -= gone
	r.stats.Dropped += gone
	r.stats.Recording, r.stats.Fault, r.stats.Since = false, err.Error(), since
	r.buf = r.buf[:0]
	r.mu.Unlock()
	r.log.Warn("recording_stopped", "error", err.Error(), "frames_lost", gone, "retry_in", retryEvery,
		"mend", "make room on the disk, or make the data folder writable; trading goes on without a recording")
}

// resume tries to record again, where it does not, and reports whether it does.
func (r *Recorder) resume() bool {
	r.mu.Lock()
	recording := r.stats.Recording
	r.mu.Unlock()
	if recording {
		return true
	}
	last, err := r.ring.look()
	if err == nil {
		err = r.ring.begin()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.stats.Fault = err.Error()
		return false
	}
	r.sessions = max(r.sessions, last)
	r.stats.Recording, r.stats.Fault, r.stats.Since = true, "", time.Time{}
	r.log.Info("recording_resumed", "frames_lost", r.lost.frames)
	nudge(r.some)
	return true
}

// over leaves the taps with nobody to write, at the end or after a fault of ours.
func (r *Recorder) over() {
	r.mu.Lock()
	r.closed = true
	r.stats.Recording, r.stats.Fault, r.stats.Since = false, "the recorder has ended", time.Now()
	r.mu.Unlock()
	close(r.gone)
}

// last writes the rest at the end. That the disk does not take it is told, and
// no fault of the trader's.
func (r *Recorder) last() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	_ = r.exchange() // told by stop
	if err := r.ring.close(); err != nil {
		r.log.Warn("recording_not_closed", "error", err.Error())
	}
}

// maxCarried bounds what stands at the head of a segment.
const maxCarried = 16 << 10

// head returns the header of a new segment, and the sessions that are open.
func (r *Recorder) head() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := appendHead(nil, r.sessions)
	for id, s := range r.open {
		text := beginning(s.gateway, s.clientID) + strings.Join(s.accounts, ",") + "\x00"
		if len(b)+recordMin+len(text) > headLen+maxCarried {
			continue // somebody else's idea of a list of accounts
		}
		from := len(b)
		b = appendUnsealed(b, carried, id, s.began, 0, text)
		seal(b[from:])
	}
	return b
}
