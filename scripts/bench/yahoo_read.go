package main

import (
	"encoding/json"
	"errors"
	"strings"
)

// ad is an event as it comes: an object of JSON with seven texts.
type ad struct {
	User  string `json:"user_id"`
	Page  string `json:"page_id"`
	Ad    string `json:"ad_id"`
	Type  string `json:"ad_type"`
	Event string `json:"event_type"`
	Time  string `json:"event_time"`
	IP    string `json:"ip_address"`
}

var errNoEvent = errors.New("no event")

// readAd reads an event. An object of texts without escapes, as all are, is read in place.
func readAd(text string) (a ad, err error) {
	if strings.IndexByte(text, '\\') >= 0 {
		return a, json.Unmarshal([]byte(text), &a)
	}
	s := text
	for first := byte('{'); ; first = ',' {
		var name, value string
		var ok bool
		if name, s, ok = quoted(s, first); !ok {
			break
		}
		if value, s, ok = quoted(s, ':'); !ok {
			break
		}
		if at := a.field(name); at != nil {
			*at = value
		}
		if s == "}" {
			return a, nil
		}
	}
	return a, errNoEvent
}

// quoted takes a text in quotes that follows a byte.
func quoted(s string, after byte) (text, rest string, ok bool) {
	if len(s) < 2 || s[0] != after || s[1] != '"' {
		return "", "", false
	}
	return strings.Cut(s[2:], `"`)
}

func (a *ad) field(name string) *string {
	switch name {
	case "user_id":
		return &a.User
	case "page_id":
		return &a.Page
	case "ad_id":
		return &a.Ad
	case "ad_type":
		return &a.Type
	case "event_type":
		return &a.Event
	case "event_time":
		return &a.Time
	case "ip_address":
		return &a.IP
	}
	return nil
}
