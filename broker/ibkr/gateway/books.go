package gateway

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"robotrader/broker/ibkr/gateway/store"
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
	if err := store.WriteFile(filepath.Join(s.cfg.StateDir, LedgerFile), append(text, '\n')); err != nil {
		return fmt.Errorf("gateway: write ledger: %w", err)
	}
	return nil
}
