import DPDKShim

/// One Ethernet frame in a buffer of the pool: a `struct rte_mbuf *`. Who holds it must pass it on or free it.
typealias Frame = OpaquePointer

/// Most frames that one poll takes from one queue, and the size of every stage's arrays.
let burstSize = 32
