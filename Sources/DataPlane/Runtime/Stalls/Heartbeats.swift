/// The poll loops' turns, for a thread that watches whether all of them go on. It may be read on any thread until the data plane is closed.
public struct Heartbeats: @unchecked Sendable {
    let lcores: UnsafeMutableBufferPointer<Lcore>

    /// The number of turns that each loop has begun. A loop that sleeps takes one at least every `Patience.longestSleep`.
    public var turns: [UInt64] { lcores.indices.map { (lcores.baseAddress! + $0).pointee.turns.load(ordering: .relaxed) } }
}

extension DataPlane {
    public var heartbeats: Heartbeats { Heartbeats(lcores: runtime.lcores) }
}
