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
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"robotrader/configs"
	"robotrader/websocket/server"
)

// folder is the data folder, held by this process alone.
type folder struct {
	dir   string
	lock  *flock.Flock
	token token
}

// token is the secret that guards everything that changes state.
type token string

// minToken is the shortest token that is taken from a file that a person wrote.
const minToken = 16

// openFolder makes the data folder when it is missing (mode 0700), takes its
// lock, and makes the token of a first start (mode 0600).
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w (%s)", err, mendFolder(err))
	}
	if err := ownAlone(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w (%s)", err, mendFolder(err))
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder: lock: %w (%s)", err, mendFolder(err))
	}
	if !got {
		return nil, fmt.Errorf("data folder: %s is in use by another trader; stop that one, or choose another folder with --data", dir)
	}
	f := &folder{dir: dir, lock: lock}
	err = f.makeToken()
	if err == nil {
		err = f.readToken()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// ownAlone lets nobody else into a folder or file that is older than this rule.
// One that is so already is left alone: a disk that is mounted for reading only
// would refuse even that.
func ownAlone(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() == mode {
		return err
	}
	return os.Chmod(path, mode)
}

// mendFolder says what a person can do about a folder that cannot be used.
func mendFolder(err error) string {
	const other = "or choose another with --data"
	switch {
	case errors.Is(err, syscall.EROFS):
		return "its disk is mounted for reading only: mount it for writing, " + other
	case errors.Is(err, syscall.ENOSPC):
		return "make room on its disk, " + other
	case errors.Is(err, fs.ErrPermission):
		return "it belongs to another user: start the trader as that one, " + other
	}
	return "choose another with --data"
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
		return ownAlone(f.path("token"), 0o600)
	case err != nil:
		return fmt.Errorf("data folder: token: %w (%s)", err, mendFolder(err))
	}
	_, err = file.WriteString(hex.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		// Or half a token would stand in the way of every start after this one.
		err = errors.Join(err, os.Remove(f.path("token")))
		return fmt.Errorf("data folder: token: %w (%s)", err, mendFolder(err))
	}
	return nil
}

// readToken reads the token, ours or one that a person put there.
func (f *folder) readToken() error {
	b, err := os.ReadFile(f.path("token"))
	if err != nil {
		return fmt.Errorf("data folder: token: %w", err)
	}
	f.token = token(strings.TrimSpace(string(b)))
	if n := len(f.token); n < minToken {
		return fmt.Errorf("data folder: the token in %s has %d characters, fewer than %d; remove the file, and the next start makes a good one", f.path("token"), n, minToken)
	}
	return nil
}

// keepSettings writes what this start was configured with, as far as strangers
// may see it: for traderctl bundle, which may come when the trader is dead.
func (f *folder) keepSettings(cfg configs.Config) error {
	b, err := json.MarshalIndent(struct {
		Started  time.Time         `json:"started"`
		Version  string            `json:"version"`
		Settings []configs.Setting `json:"settings"`
	}{time.Now().UTC(), version(), cfg.Harmless()}, "", "  ")
	if err != nil {
		return fmt.Errorf("data folder: settings: %w", err)
	}
	return f.replace("settings.json", b)
}

// replace writes a file as a whole or not at all.
func (f *folder) replace(name string, text []byte) error {
	temp := f.path(name + ".new")
	if err := os.WriteFile(temp, append(text, '\n'), 0o600); err != nil {
		_ = os.Remove(temp) // half of it, or none
		return fmt.Errorf("data folder: %w (%s)", err, mendFolder(err))
	}
	return os.Rename(temp, f.path(name))
}

// address is what trader.json tells other programs about a running trader.
type address struct {
	PID     int       `json:"pid"`
	HTTP    string    `json:"http"`               // host:port, "" when there is none
	TLSCert string    `json:"tls_cert,omitempty"` // the file with the certificate that it shows
	Token   bool      `json:"token,omitempty"`    // reading needs the token, too
	Started time.Time `json:"started"`
}

// announce writes where this trader can be reached, for traderctl.
func (f *folder) announce(addr string, web server.Config) error {
	a := address{PID: os.Getpid(), HTTP: addr, Token: web.Exposed(), Started: time.Now().UTC()}
	if web.TLSCert != "" {
		var err error
		if a.TLSCert, err = filepath.Abs(web.TLSCert); err != nil {
			return err
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return f.replace("trader.json", b)
}

// close takes back the announcement and gives the folder free.
func (f *folder) close() error {
	_, err := os.Lstat(f.path("trader.json"))
	if err == nil { // or a disk that is mounted for reading only tells of it
		err = os.Remove(f.path("trader.json"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, f.lock.Unlock())
}
