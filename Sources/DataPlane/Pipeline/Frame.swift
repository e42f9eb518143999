import DPDKShim

/// One Ethernet frame in a buffer of the pool: a `struct rte_mbuf *`. Whoever holds it must pass it on or free it.
typealias Frame = OpaquePointer

/// The most frames that one poll takes from one queue. It is also the size of every stage's arrays.
let burstSize = 32
