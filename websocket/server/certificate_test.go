package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// httptestRequest is a request for the state.
func httptestRequest(set ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest("GET", "/api/state", nil)
	for _, f := range set {
		f(r)
	}
	return r
}

// writePair makes a certificate for this machine and writes it with its key.
func writePair(t *testing.T, dir string, serial int64) (cert, key string, leaf *x509.Certificate) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "trader"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, text, text, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err = x509.ParseCertificate(raw)
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	err = errors.Join(err,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, leaf
}

// Over TLS: TLS 1.2 at least, a secure cookie, plain HTTP refused, and a renewed
// certificate taken up without a restart.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := writePair(t, dir, 1)
	p := parts()
	p.Control, p.Token = &fakeControl{}, token
	cfg := Config{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s := New(cfg, p, silent)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	get := func(leaf *x509.Certificate) (*http.Response, error) {
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		c := &http.Client{Timeout: patience, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		}}
		res, err := c.Get("https://" + s.Addr() + "/api/state")
		if err == nil {
			err = res.Body.Close()
		}
		return res, err
	}
	res, err := get(first)
	if err != nil || res.StatusCode != 200 || res.TLS.Version < tls.VersionTLS12 {
		t.Fatalf("%+v, %v", res, err)
	}
	if c := cookie(httptestRequest(overTLS), "x", time.Hour); c.Secure {
		t.Error("a cookie is secure before the way was looked at")
	}
	plain := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := plain.Get("http://" + s.Addr() + "/api/state"); err == nil {
		if res.Body.Close() != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP is answered with %s", res.Status)
		}
	}
	_, _, second := writePair(t, dir, 2)
	deadline := time.Now().Add(patience)
	for _, err = get(second); err != nil; _, err = get(second) { // looked at once a second
		if time.Now().After(deadline) {
			t.Fatalf("the renewed certificate is not taken up: %v", err)
		}
	}
}

// Half of a renewal, or none of it, leaves the old pair in place.
func TestABadRenewalLeavesTheOldCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := writePair(t, dir, 1)
	c, err := openCertificate(cert, key, silent)
	if err != nil {
		t.Fatal(err)
	}
	now := func() *x509.Certificate {
		t.Helper()
		c.looked = time.Time{} // a second has gone
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	if !now().Equal(first) {
		t.Fatal("another certificate")
	}
	for _, spoil := range []func() error{
		func() error { return os.WriteFile(key, []byte("half"), 0o600) },
		func() error { return os.Remove(cert) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if !now().Equal(first) {
			t.Error("the old certificate is gone")
		}
	}
	if _, _, third := writePair(t, dir, 3); !now().Equal(third) {
		t.Error("a whole renewal after it is not taken up")
	}
	if _, err := openCertificate(filepath.Join(dir, "none"), key, silent); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
