package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certificate writes a pair that a test server of the library has.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	raw, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	cert, key = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	err = errors.Join(err,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.TLS.Certificates[0].Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// A trader that others reach: traderctl, the doctor and the health check find
// it over TLS with the token of its folder, and nobody else reads.
func TestServedOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	tr := startTrader(t, "--http", "0.0.0.0:0", "--tls-cert", cert, "--tls-key", key, "AAPL")
	does := func(code int, says string, name string, args ...string) {
		t.Helper()
		p := start(t, name, args...)
		p.ends(t, code, 20*time.Second)
		p.says(t, says)
	}
	awaits(t, "a state that is known", 10*time.Second, func() (string, bool) {
		p := start(t, "traderctl", "status", "--data", tr.data)
		code := p.wait(t, 20*time.Second)
		return p.said.String(), code == 0 && strings.Contains(p.said.String(), "ready")
	})
	does(0, "mode    halted", "traderctl", "halt", "--reason", "a test", "--data", tr.data)
	does(10, "a trader runs (process", "traderctl", "doctor", "--gateway", freeAddr(t), "--data", tr.data) // it asks that trader
	does(0, "serving", "start_trader", "--healthcheck", "--data", tr.data)
	does(1, "no trader that serves", "start_trader", "--healthcheck", "--data", t.TempDir())

	_, port, err := net.SplitHostPort(tr.addr)
	if err != nil {
		t.Fatal(err)
	}
	does(1, "", "traderctl", "status", "--http", "https://127.0.0.1:"+port) // no authority knows it
	does(2, "is not host:port", "traderctl", "status", "--http", "ftp://x")
	if status, text := get("127.0.0.1:"+port, "/api/state"); status != 400 || !strings.Contains(text, "HTTP request to an HTTPS server") {
		t.Errorf("in the clear: %d %s", status, text)
	}

	tr.signal(t, syscall.SIGTERM)
	tr.ends(t, exitStopped, stopsWithin)
}

// What others could read in the clear is not started.
func TestExposureIsRefusedAtTheStart(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--http", "0.0.0.0:0"}, "can be reached from other machines, in plain text"},
		{[]string{"--http", ":0"}, "can be reached from other machines, in plain text"},
		{[]string{"--http", "0.0.0.0:0", "--tls-cert", "x"}, "websocket.tls_key: missing"},
		{[]string{"--behind-proxy", "::/0"}, "is everybody"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append(tt.args, "--check", "AAPL"), nil, &out, &errs)
		if code != exitConfig || !strings.Contains(errs.String(), tt.says) {
			t.Errorf("%q: exit %d, %s; want %d that says %q", tt.args, code, errs.String(), exitConfig, tt.says)
		}
	}
}
