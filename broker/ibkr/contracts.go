package ibkr

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Details asks what the venue knows about a contract. A contract that fits
// nothing is an error of the venue (200); several that fit are all in the list.
func (s *Session) Details(ctx context.Context, c market.Contract) ([]market.Details, error) {
	id := s.ids.Next()
	list := []market.Details{}
	msg := wire.ReqContractDetails{ReqID: id, Contract: wire.ContractOf(c)}
	err := s.ask(ctx, id, "reqContractDetails", msg, func(m wire.Message) (bool, error) {
		d, ok := m.(wire.ContractData)
		if !ok {
			return ends[wire.ContractDataEnd](m)
		}
		if !fits(d.Contract, c) {
			s.strays.Add(1)
			return false, fmt.Errorf("ibkr: asked for %s %.20q (contract %d), the gateway answered with %.20q %.20q (contract %d)",
				c.Symbol, c.SecType, c.ConID, d.Contract.Symbol, d.Contract.SecType, d.Contract.ConID)
		}
		got, err := s.details(d)
		if err != nil {
			return false, err
		}
		list = append(list, got)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// fits reports whether a contract that the gateway told is the one that was
// asked for. An answer under our id that names another is somebody else's: once
// a price of NVDA answered a question for TSLA. Symbols are compared without
// what venues spell differently, such as the dot of BRK.B.
func fits(got wire.Contract, asked market.Contract) bool {
	switch {
	case asked.SecType != "" && got.SecType != asked.SecType:
		return false
	case asked.ConID != 0:
		return got.ConID == asked.ConID
	}
	return bare(got.Symbol) == bare(string(asked.Symbol))
}

func bare(symbol string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, symbol)
}

func (s *Session) details(m wire.ContractData) (market.Details, error) {
	c, err := m.Contract.Market()
	if err != nil {
		return market.Details{}, err
	}
	d := market.Details{Contract: c, LongName: m.LongName}
	if m.MinTick != nil {
		d.MinTick = *m.MinTick
	}
	if m.SizeIncrement != nil {
		d.SizeStep = *m.SizeIncrement
	}
	zone := zoneOf(m.TimeZoneID)
	d.Trading = s.hours(c.Symbol, "trading", m.TradingHours, zone)
	d.Liquid = s.hours(c.Symbol, "liquid", m.LiquidHours, zone)
	return d, nil
}

// hours reads one of the venue's lists of hours. One that cannot be read is
// unknown, which is not closed.
func (s *Session) hours(symbol market.Symbol, which, text string, zone *time.Location) market.Hours {
	h, err := market.ParseHours(text, zone)
	if err != nil {
		s.log.Warn("hours_not_read", "symbol", string(symbol), "which", which, "error", err.Error())
		return nil
	}
	return h
}

// zoneOf returns the zone that the venue names, in whatever words, or New
// York's for one that nobody can translate.
func zoneOf(name string) *time.Location {
	at, err := wire.ParseTime("20200101 00:00:00 "+name, venueZone)
	if err != nil {
		return venueZone
	}
	return at.Location()
}
