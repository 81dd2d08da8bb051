package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// folder is the data folder, held by this process alone.
type folder struct {
	dir  string
	lock *flock.Flock
}

// openFolder makes the data folder when it is missing (mode 0700), takes its
// lock, and makes the token of a first start (mode 0600).
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w (choose another with --data)", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { // it may be older than this rule
		return nil, fmt.Errorf("data folder: %w (it belongs to another user; choose another with --data)", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder: lock: %w", err)
	}
	if !got {
		return nil, fmt.Errorf("data folder: %s is in use by another trader; stop that one, or choose another folder with --data", dir)
	}
	f := &folder{dir, lock}
	if err := f.makeToken(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// makeToken writes the token that will guard everything that changes state.
func (f *folder) makeToken() error {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("data folder: token: %w", err)
	}
	file, err := os.OpenFile(f.path("token"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return os.Chmod(f.path("token"), 0o600)
	case err != nil:
		return fmt.Errorf("data folder: token: %w", err)
	}
	_, err = file.WriteString(hex.EncodeToString(secret[:]) + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// address is what trader.json tells other programs about a running trader.
type address struct {
	PID     int       `json:"pid"`
	HTTP    string    `json:"http"` // host:port, "" when there is none
	Started time.Time `json:"started"`
}

// announce writes where this trader can be reached, for traderctl.
func (f *folder) announce(addr string) error {
	b, err := json.Marshal(address{os.Getpid(), addr, time.Now().UTC()})
	if err != nil {
		return err
	}
	temp := f.path("trader.json.new")
	if err := os.WriteFile(temp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return os.Rename(temp, f.path("trader.json"))
}

// close takes back the announcement and gives the folder free.
func (f *folder) close() error {
	err := os.Remove(f.path("trader.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, f.lock.Unlock())
}
