package configs

import (
	"errors"
	"reflect"

	"robotrader/services/secret"
)

// isSecret reports whether a key's values must not be shown.
func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[secret.Text]() || t == reflect.TypeFor[[]secret.Text]()
}

// setSecret is set for a secret: a fault of it does not quote the value.
func setSecret(v reflect.Value, value any) error {
	if err := set(v, value); err != nil {
		return errors.New("the value, which is not shown, is no text or list of texts; put it into quotes")
	}
	return nil
}
