package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"robotrader/services/journal/chain"
)

// witnessEvery is how often the witness is brought up to date, when there is
// something new: with a slow flush it stays below a second behind.
const witnessEvery = 500 * time.Millisecond

// witnessPath is the witness of the journal in the file path.
func witnessPath(path string) string { return strings.TrimSuffix(path, ".db") + ".witness" }

// readWitness reads it; nil when there is none.
func readWitness(path string) (*chain.Witness, error) {
	b, err := os.ReadFile(witnessPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w, err := chain.ParseWitness(string(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrTampered, witnessPath(path), err)
	}
	return &w, nil
}

// writeWitness replaces it, as a whole and durably.
func writeWitness(on disk, path string, w chain.Witness) error {
	return replaceFile(on, witnessPath(path), []byte(w.Text()))
}

func replaceFile(on disk, name string, text []byte) error {
	f, err := on.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = on.Rename(name+".new", name)
	}
	if err == nil {
		err = syncFolder(on, filepath.Dir(name))
	}
	return ofDisk(err)
}

// ofDisk gives an error of the system the kind that SQLite's have.
func ofDisk(err error) error {
	switch {
	case errors.Is(err, ErrFull), errors.Is(err, ErrReadOnly), errors.Is(err, ErrDisk): // it has one
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return err
}

// tip is how far the journal is durable.
type tip struct {
	mu      sync.Mutex // guards what follows
	durable chain.Witness
	shown   int64 // count in the witness
}

// reached notes that all up to w is durable.
func (t *tip) reached(w chain.Witness) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.Count > t.durable.Count {
		t.durable = w
	}
}

// behind returns what the witness does not tell yet.
func (t *tip) behind() (chain.Witness, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.durable, t.durable.Count > t.shown
}

func (t *tip) told(count int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown = count
}

// watch keeps the witness up to date until the journal is closed. What cannot
// be written ends the journal's promise like any other write.
func (j *Journal) watch() {
	defer close(j.watched)
	tick := time.NewTicker(j.pace.witness)
	defer tick.Stop()
	for {
		select {
		case <-j.unwatch:
			return
		case <-tick.C:
			if j.queue.broken() == nil {
				if err := j.testify(); err != nil {
					j.queue.fail(err)
				}
			}
		}
	}
}

// testify writes the witness when it is behind.
func (j *Journal) testify() error {
	j.witness.Lock()
	defer j.witness.Unlock()
	w, ok := j.tip.behind()
	if !ok {
		return nil
	}
	if err := writeWitness(j.disk, j.path, w); err != nil {
		return failed(j.path, "write the witness", err)
	}
	j.tip.told(w.Count)
	return nil
}

// trust compares the file with its witness and itself, as far as that is
// quick, and makes the witness of a file that never had one.
func (j *Journal) trust(ctx context.Context) error {
	w, err := readWitness(j.path)
	if err != nil {
		return err
	}
	var had int
	if err := j.write.QueryRowContext(ctx, "SELECT count(*) FROM meta WHERE key='witness'").Scan(&had); err != nil {
		return err
	}
	if w == nil && had > 0 {
		return fmt.Errorf("%w: %s is gone", ErrTampered, witnessPath(j.path))
	}
	if j.ledger, err = ends(ctx, j.write); err != nil {
		return err
	}
	if before, _ := j.tip.behind(); before.Count > j.ledger.Count { // opened again after a failure
		return fmt.Errorf("%w: %d rows are here, and %d were durable", ErrLost, j.ledger.Count, before.Count)
	}
	if info, err := os.Stat(j.path); err == nil && info.Size() <= quickSize {
		if err := pages(ctx, j.write, "quick_check(5)"); err != nil {
			return err
		}
	}
	if _, err := check(ctx, j.write, j.ledger, j.ledger.Count-recent, w); err != nil {
		return err
	}
	// What was read may be in the kernel's memory only, after a crash of this
	// program alone.
	if err := j.log.Sync(); err != nil {
		return err
	}
	j.tip.reached(j.ledger.Witness)
	if w != nil {
		j.tip.told(w.Count)
		return j.testify()
	}
	if err := writeWitness(j.disk, j.path, j.ledger.Witness); err != nil {
		return err
	}
	j.tip.told(j.ledger.Count)
	_, err = j.write.ExecContext(ctx, "INSERT INTO meta VALUES('witness', '1') ON CONFLICT(key) DO NOTHING")
	return err
}
