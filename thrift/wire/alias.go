package wire

import "github.com/apache/thrift/lib/go/thrift"

// Names of library types that packages outside of this one need, which do not import the library.
type (
	// A Struct is any generated struct, by pointer.
	Struct = thrift.TStruct
	// A Processor holds the methods of one service and is what the generated New<Service>Processor returns.
	Processor = thrift.TProcessor
	// ResponseMeta comes with a reply and is empty in this protocol.
	ResponseMeta = thrift.ResponseMeta
	// MapEntry is one entry of a map whose key is a struct or a list, such as the inputs of a component: those maps are
	// slices in Go. Two equal keys are taken when read and refused when written.
	MapEntry[K, V any] = thrift.MapEntry[K, V]
)
