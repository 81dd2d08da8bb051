package bridge

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// TestLoginByKeys joins nodes that know users by an nkey, and by a JWT that an
// account signed.
func TestLoginByKeys(t *testing.T) {
	t.Parallel()
	seed, public := keyOf(t, nkeys.CreateUser)
	byKey := node(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	cfg := bus.DefaultConfig()
	cfg.URL, cfg.NkeyFile = "nats://"+byKey, file(t, "user.nk", seed+"\n")
	newTrader(t, cfg, "DU1").up(t)

	cfg = bus.DefaultConfig()
	cfg.URL, cfg.CredsFile = credentials(t)
	r := newTrader(t, cfg, "DU2")
	r.up(t)
	if s := r.state(); s.State != event.BusUp {
		t.Errorf("state %+v", s)
	}
}

func keyOf(t testing.TB, make func() (nkeys.KeyPair, error)) (seed, public string) {
	t.Helper()
	k, err := make()
	if err != nil {
		t.Fatal(err)
	}
	s, err1 := k.Seed()
	p, err2 := k.PublicKey()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return string(s), p
}

func pair(t testing.TB, seed string) nkeys.KeyPair {
	t.Helper()
	k, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// credentials starts a node of an operator and returns its address and a file
// that one of its users joins with.
func credentials(t testing.TB) (url, creds string) {
	t.Helper()
	operatorSeed, operator := keyOf(t, nkeys.CreateOperator)
	accountSeed, account := keyOf(t, nkeys.CreateAccount)
	userSeed, user := keyOf(t, nkeys.CreateUser)
	sign := func(c interface {
		Encode(nkeys.KeyPair) (string, error)
	}, seed string,
	) string {
		s, err := c.Encode(pair(t, seed))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	claims := jwt.NewOperatorClaims(operator)
	sign(claims, operatorSeed)
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(account, sign(jwt.NewAccountClaims(account), operatorSeed)); err != nil {
		t.Fatal(err)
	}
	addr := node(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{claims}, AccountResolver: resolver})
	text, err := jwt.FormatUserConfig(sign(jwt.NewUserClaims(user), accountSeed), []byte(userSeed))
	if err != nil {
		t.Fatal(err)
	}
	return "nats://" + addr, file(t, "user.creds", string(text))
}

// node starts one node and returns its address.
func node(t testing.TB, o *server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs, o.NoSystemAccount = "127.0.0.1", server.RANDOM_PORT, true, true, true
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("the node takes no connections")
	}
	return ns.Addr().String()
}
