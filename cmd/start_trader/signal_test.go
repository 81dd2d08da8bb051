package main

import (
	"bytes"
	"context"
	"testing"
)

// TestASignalDuringTheStartIsAnOrderlyStop: whoever stops the program does not
// know how far it is.
func TestASignalDuringTheStartIsAnOrderlyStop(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"--headless", "--http", "off", "--data", t.TempDir(), "AAPL"}, nil, &out, &errs); code != exitStopped {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
