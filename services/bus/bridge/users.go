package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// user is who may join the listening server.
type user struct{ name, role, password string }

const (
	usersMost   = 32
	passwordMin = 12 // characters
)

// readUsers reads a file of users, or returns all that is wrong with it. A line
// is a name, a role and a password or its bcrypt hash, with blanks between; one
// that is empty or begins with # is left out. No error holds a password.
func readUsers(file string, reserved []string) ([]user, error) {
	text, err := secret(file)
	if err != nil {
		return nil, fmt.Errorf("bus.users_file: %w", err)
	}
	var list []user
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		bad := func(format string, a ...any) {
			errs = append(errs, fmt.Errorf("bus.users_file %s line %d: "+format, append([]any{file, n}, a...)...))
		}
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 3 {
			bad("%d words; it takes three: name, role, password", len(words))
			continue
		}
		u := user{words[0], words[1], words[2]}
		switch {
		case !nameOK(u.name):
			bad("name %.40q: use 1 to %d letters, digits, dashes and underscores", u.name, nameMost)
		case slices.Contains(reserved, u.name):
			bad("name %q is that of a strategy of this process; take another", u.name)
		case slices.ContainsFunc(list, func(o user) bool { return o.name == u.name }):
			bad("name %q is there twice", u.name)
		case u.role != roleStrategy && u.role != roleObserver:
			bad("role %.40q is neither %s nor %s", u.role, roleStrategy, roleObserver)
		case len(u.password) < passwordMin:
			bad("the password has less than %d characters; make one with openssl rand -hex 24", passwordMin)
		default:
			list = append(list, u)
		}
	}
	if len(list) > usersMost {
		errs = append(errs, fmt.Errorf("bus.users_file %s: %d users are more than %d", file, len(list), usersMost))
	}
	if len(list) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("bus.users_file %s: it holds no user", file))
	}
	return list, errors.Join(errs...)
}
