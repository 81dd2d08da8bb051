package diag

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pemFile writes a certificate.
func pemFile(t *testing.T, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tls.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// anotherCertificate is somebody else's.
func anotherCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, text, text, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A trader is asked over TLS by its own certificate and no other, with the token
// where reading needs it; a token goes nowhere else.
func TestCaller(t *testing.T) {
	var asked http.Header
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}
	}))
	defer s.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("a-token-of-the-folder\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := Place{HTTP: s.Listener.Addr().String(), TLSCert: pemFile(t, s.Certificate().Raw), Token: true}
	other := own
	other.TLSCert = pemFile(t, anotherCertificate(t))
	gone := own
	gone.TLSCert = filepath.Join(dir, "none")
	for _, tt := range []struct {
		name string
		p    Place
		want error
	}{{"its own", own, nil}, {"another", other, errOther}, {"none", gone, fs.ErrNotExist}} {
		asked = nil
		res, err := tt.p.Caller(dir, 5*time.Second).Get(t.Context(), "/api/state")
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s certificate: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			if asked != nil {
				t.Errorf("%s certificate: asked all the same", tt.name)
			}
			continue
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := asked.Get("Authorization"); got != "Bearer a-token-of-the-folder" {
			t.Errorf("%s certificate: the token is %q", tt.name, got)
		}
	}
	open := own
	open.Token = false
	res, err := open.Caller(dir, 5*time.Second).Get(t.Context(), "/away")
	if err != nil || res.StatusCode != http.StatusFound || asked.Get("Authorization") != "" {
		t.Errorf("a redirect of one that needs no token: %v, %v, token %q", res, err, asked.Get("Authorization"))
	} else if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := own.Caller(t.TempDir(), time.Second).Get(t.Context(), "/"); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("a folder without a token: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"[::]:8787": "127.0.0.1:8787", "0.0.0.0:8787": "127.0.0.1:8787", "192.0.2.1:8787": "192.0.2.1:8787", "localhost:1": "localhost:1", "x": "x",
	} {
		if got := fromHere(in); got != want {
			t.Errorf("%s is reached at %s, want %s", in, got, want)
		}
	}
	for in, ok := range map[string]bool{
		"127.0.0.1:8787": true, "https://trader.example:8787": true, "http://a/": true,
		"ftp://a": false, "http://a/b": false, "http://user:pass@a": false, "": false, "http://": false,
	} {
		if _, err := CallerAt(in, time.Second); (err == nil) != ok {
			t.Errorf("address %q: %v", in, err)
		}
	}
}
