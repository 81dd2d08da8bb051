// Package configs gathers the configuration of every part: defaults, then a
// YAML file, then the environment (TRADER_*), then flags, each overriding the
// one before.
//
// It promises that a bad configuration is told whole: every unknown key and
// every bad value of every layer, each with the place it came from, the value
// and the mend. It never guesses: a key that nobody knows is a fault, because a
// misspelt limit is a missing limit. It does not touch anything but the file
// it is told to read.
//
// # Design
//
// Each part owns its Config, its defaults and its Validate; this package only
// nests them, and knows no value itself. Keys come from the koanf tags. The
// environment's name of a key is TRADER_ and the key in capitals, with "__" for
// the dot: TRADER_BROKER__IBKR__CLIENT_ID.
package configs
