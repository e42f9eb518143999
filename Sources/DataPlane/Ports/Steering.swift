import Packet

/// Which receive queue of a NIC is to receive the frames for which address, so that they arrive on the poll loop that serves the guest.
package enum Steering {
    /// - Parameters:
    ///   - addresses: the guests' addresses, each with the loops that poll the queues of its port.
    ///   - loops: the loop that polls each of the NIC's queues, by the queue's number.
    /// - Returns: for each address its queue. An address has none if its port is polled by several loops, as one queue would then give all its frames to one of
    ///   them, or by a loop that polls none of the NIC's queues. If one loop polls all of them, nothing can be chosen. Addresses of a loop that polls several
    ///   queues are spread over these.
    package static func queues(for addresses: [MACAddress: Set<Int>], loops: [Int]) -> [MACAddress: Int] {
        let places = Dictionary(grouping: loops.indices) { loops[$0] }
        guard places.count > 1 else { return [:] }
        var result: [MACAddress: Int] = [:]
        for (mac, loops) in addresses {
            guard loops.count == 1, let queues = loops.first.flatMap({ places[$0] }) else { continue }
            // The choice depends on nothing else, so that an address keeps its queue when others come and go. Addresses are often given out in steps
            // (2^64 / golden ratio: Knuth, The Art of Computer Programming 3, 6.4).
            result[mac] = queues[Int(((mac.value &* 0x9e37_79b9_7f4a_7c15) >> 32) % UInt64(queues.count))]
        }
        return result
    }
}
