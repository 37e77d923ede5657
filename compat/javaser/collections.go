package javaser

import (
	"fmt"
	"strings"
)

func slashToDot(s string) string { return strings.ReplaceAll(s, "/", ".") }

func text(o *Object, class, field string) (string, bool) {
	v, _ := o.Field(class, field)
	s, ok := v.(string)
	return s, ok
}

func stringArray(v Value) ([]string, error) {
	a, ok := v.(*Array)
	if !ok {
		return nil, fmt.Errorf("%w: %s is no array", ErrBroken, kindOf(v))
	}
	return texts(a.Elements)
}

func texts(values []Value) ([]string, error) {
	out := make([]string, len(values))
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%w: element %d is %s and no text", ErrBroken, i, kindOf(v))
		}
		out[i] = s
	}
	return out, nil
}

// stringList reads the lists of the JDK that hold a few names.
func stringList(v Value) ([]string, error) {
	o, ok := v.(*Object)
	if !ok {
		return nil, fmt.Errorf("%w: %s is no list", ErrBroken, kindOf(v))
	}
	switch o.Class.Name {
	case "java.util.ArrayList", "java.util.LinkedList":
		d := o.data(o.Class.Name)
		if d == nil {
			break
		}
		return texts(withoutBlocks(d.Annotations))
	case "java.util.Arrays$ArrayList":
		a, _ := o.Field(o.Class.Name, "a")
		return stringArray(a)
	}
	return nil, fmt.Errorf("%w: %s is a list of a kind that is not known", ErrBroken, o.Class.Name)
}

// stringMap reads the maps of the JDK, text to text; nil gives nil.
func stringMap(v Value) (map[string]string, error) {
	if v == nil {
		return nil, nil
	}
	o, ok := v.(*Object)
	if !ok {
		return nil, fmt.Errorf("%w: %s is no map", ErrBroken, kindOf(v))
	}
	for range MaxChain { // wrapped again and again, or around itself
		inner, ok := o.Field("java.util.Collections$UnmodifiableMap", "m")
		if !ok {
			inner, ok = o.Field("java.util.Collections$SynchronizedMap", "m")
		}
		next, isObject := inner.(*Object)
		if !ok || !isObject {
			break
		}
		o = next
	}
	entries, err := mapEntries(o)
	if err != nil {
		return nil, err
	}
	list, err := texts(entries)
	if err != nil || len(list)%2 != 0 {
		return nil, fmt.Errorf("%w: the map holds something else than texts", ErrBroken)
	}
	if len(list) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		out[list[i]] = list[i+1]
	}
	return out, nil
}

// mapEntries gives keys and values in turn.
func mapEntries(o *Object) ([]Value, error) {
	for _, class := range []string{"java.util.HashMap", "java.util.TreeMap", "java.util.Hashtable"} {
		if d := o.data(class); d != nil {
			return withoutBlocks(d.Annotations), nil
		}
	}
	switch o.Class.Name {
	case "java.util.concurrent.ConcurrentHashMap":
		if d := o.data(o.Class.Name); d != nil {
			entries := withoutBlocks(d.Annotations)
			if n := len(entries); n >= 2 && entries[n-1] == nil && entries[n-2] == nil {
				return entries[:n-2], nil // two nulls mark its end
			}
		}
	case "java.util.Collections$EmptyMap":
		return nil, nil
	case "java.util.Collections$SingletonMap":
		k, _ := o.Field(o.Class.Name, "k")
		v, _ := o.Field(o.Class.Name, "v")
		return []Value{k, v}, nil
	case "java.util.CollSer": // Map.of: the tag says which kind of collection
		const tagMap = 3
		tag, _ := o.Field(o.Class.Name, "tag")
		if n, ok := tag.(int32); ok && n&0xFF == tagMap {
			return withoutBlocks(o.data(o.Class.Name).Annotations), nil
		}
	}
	return nil, fmt.Errorf("%w: %s is a map of a kind that is not known", ErrBroken, o.Class.Name)
}

// withoutBlocks leaves off the sizes that the collections write as block data.
func withoutBlocks(annotations []Value) []Value {
	out := make([]Value, 0, len(annotations))
	for _, v := range annotations {
		if _, isBlock := v.([]byte); !isBlock {
			out = append(out, v)
		}
	}
	return out
}

func kindOf(v Value) string {
	if o, ok := v.(*Object); ok {
		return o.Class.Name
	}
	return className(v)
}
