package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// TestTLS: beyond the pair, a client certificate can be demanded.
func TestTLS(t *testing.T) {
	ca, cert, key := certificates(t)
	r := listening(t, func(c *bus.Config) { c.TLSCA, c.TLSCert, c.TLSKey = ca, cert, key })
	url := "tls://" + r.bridge.Addr()
	login := nats.UserInfo("dip", secretWord)
	for name, opts := range map[string][]nats.Option{
		"without our authority":        {login},
		"without a client certificate": {login, nats.RootCAs(ca)},
		"without TLS at all":           {login, nats.TLSHandshakeFirst()},
	} {
		if nc, err := nats.Connect(url, opts...); err == nil {
			nc.Close()
			t.Errorf("joined %s", name)
		}
	}
	nc := outsider(t, url, login, nats.RootCAs(ca), nats.ClientCert(cert, key), nats.CustomInboxPrefix("_INBOX.dip"))
	if a, err := ask(t, nc, "main", "dip", intent("dip", "1")); err != nil || a.Result != event.Written {
		t.Errorf("%+v, %v", a, err)
	}
}

// certificates makes an authority and a pair that serves both ways.
func certificates(t testing.TB) (ca, cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = file(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secretKey})))
	return cert, cert, key
}

// TestClusterTLS joins a node that demands a token, TLS and a client
// certificate.
func TestClusterTLS(t *testing.T) {
	ca, cert, key := certificates(t)
	c := startOne(t, func() *tls.Config {
		cfg, err := tlsConfig(bus.Config{TLSCA: ca, TLSCert: cert, TLSKey: key})
		if err != nil {
			t.Fatal(err)
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		return cfg
	}())
	cfg := bus.DefaultConfig()
	cfg.URL, cfg.TokenFile = "tls://"+c, file(t, "token", secretWord+"\n")
	cfg.TLSCA, cfg.TLSCert, cfg.TLSKey = ca, cert, key
	r := newTrader(t, cfg, "DU1")
	r.up(t)

	cfg.TokenFile = file(t, "token", "wrong"+secretWord)
	wrong := newTrader(t, cfg, "DU2")
	eventually(t, "the wrong token is told", func() bool {
		s := wrong.state()
		return s.State == event.BusConnecting && strings.Contains(s.Cause, "credentials")
	})
	if s := wrong.state(); strings.Contains(s.Cause, secretWord) {
		t.Errorf("the cause shows the token: %s", s.Cause)
	}
}
