package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// LedgerFile is the name of the books in the state folder.
const LedgerFile = "sim-ledger.json"

// writeLedger writes the books whole or not at all: a file beside it first,
// durable, then a rename.
func (s *Server) writeLedger() error {
	if s.cfg.StateDir == "" {
		return nil
	}
	text, err := json.MarshalIndent(s.Ledger(), "", "  ")
	if err != nil {
		return fmt.Errorf("gateway: ledger: %w", err)
	}
	if err := replaceFile(filepath.Join(s.cfg.StateDir, LedgerFile), append(text, '\n')); err != nil {
		return fmt.Errorf("gateway: write ledger: %w", err)
	}
	return nil
}

func replaceFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path)) // so that the rename survives a power loss, too
	if err != nil {
		return err
	}
	err = dir.Sync()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return err
}
