package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
)

// secretBytes bounds a file with a secret or certificates.
const secretBytes = 64 << 10

// clusterOptions returns how to join the cluster, or all that is wrong with
// the files that the configuration names. Files with secrets are read anew at
// each connection, so that they can be changed.
func clusterOptions(cfg bus.Config) ([]nats.Option, error) {
	var errs []error
	var list []nats.Option
	check := func(key, file string) bool {
		if file == "" {
			return false
		}
		if _, err := secret(file); err != nil {
			errs = append(errs, fmt.Errorf("bus.%s: %w", key, err))
		}
		return true
	}
	if check("user_file", cfg.UserFile) {
		if _, _, err := userOf(cfg.UserFile); err != nil {
			errs = append(errs, err)
		}
		list = append(list, nats.UserInfoHandler(func() (string, string) {
			user, password, _ := userOf(cfg.UserFile) // the server refuses what cannot be read
			return user, password
		}))
	}
	if check("creds_file", cfg.CredsFile) {
		list = append(list, nats.UserCredentials(cfg.CredsFile))
	}
	if check("nkey_file", cfg.NkeyFile) {
		o, err := nats.NkeyOptionFromSeed(cfg.NkeyFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("bus.nkey_file %s: it holds no seed of a user", cfg.NkeyFile)) // its own words may hold the seed
		} else {
			list = append(list, o)
		}
	}
	if check("token_file", cfg.TokenFile) {
		list = append(list, nats.TokenHandler(func() string {
			token, _ := secret(cfg.TokenFile) // as above
			return token
		}))
	}
	if cfg.Token != "" {
		list = append(list, nats.Token(cfg.Token))
	}
	if cfg.TLSCA != "" || cfg.TLSCert != "" || strings.Contains(cfg.URL, "tls://") {
		t, err := tlsConfig(cfg)
		if err != nil {
			errs = append(errs, err)
		} else {
			list = append(list, nats.Secure(t))
		}
	}
	return list, errors.Join(errs...)
}

// secret reads a file that holds a secret, without the blanks around it. One
// that every user of the machine may read is refused.
func secret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s: every user of this machine may read or change it (mode %04o); chmod 600 it", file, info.Mode().Perm())
	}
	if info.Size() > secretBytes {
		return "", fmt.Errorf("%s: %d bytes are more than a secret has (%d)", file, info.Size(), secretBytes)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s: it is empty", file)
	}
	return s, nil
}

// userOf reads a user in the first line and the password in the second.
func userOf(file string) (user, password string, err error) {
	s, err := secret(file)
	if err != nil {
		return "", "", nil // told already
	}
	user, password, ok := strings.Cut(s, "\n")
	user, password = strings.TrimSpace(user), strings.TrimSpace(password)
	if !ok || user == "" || password == "" || strings.Contains(password, "\n") {
		return "", "", fmt.Errorf("bus.user_file %s: not two lines, the user and the password", file)
	}
	return user, password, nil
}

// tlsConfig returns what both sides of TLS need: the pair, and the authorities.
func tlsConfig(cfg bus.Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	var errs []error
	if cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			errs = append(errs, fmt.Errorf("bus.tls_cert: %w", err))
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if cfg.TLSCA != "" {
		pem, err := os.ReadFile(cfg.TLSCA)
		pool := x509.NewCertPool()
		if err != nil {
			errs = append(errs, fmt.Errorf("bus.tls_ca: %w", err))
		} else if !pool.AppendCertsFromPEM(pem) {
			errs = append(errs, fmt.Errorf("bus.tls_ca %s: it holds no certificate", cfg.TLSCA))
		}
		t.RootCAs, t.ClientCAs = pool, pool
	}
	return t, errors.Join(errs...)
}
