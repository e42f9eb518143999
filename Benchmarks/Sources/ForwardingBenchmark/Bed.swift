import Configuration
import DataPlane
import Glibc
import RingPorts

/// A running data plane whose ports send to each other, and the frames that circulate between them.
struct Bed {
    let plane: DataPlane
    private let load: Load
    private let pairs: [PortPair]

    /// - Parameters:
    ///   - spare: how many more queues the devices have, into which nothing is put.
    ///   - edit: changes the configuration that the load has.
    init(_ load: Load, cpus: [Int], spare: Int = 0, _ edit: (inout Model) -> Void = { _ in }) throws {
        self.load = load
        pairs = load.pairs(cpus)
        var model = try load.model(cpus)
        edit(&model)
        plane = try DataPlane(model.daemon)
        for pair in pairs {
            let made = ring_ports_create(pair.a, pair.b, UInt32(pair.queues + spare), UInt32(Self.ringSize(load.circulating)))
            try Self.check(made, "making the devices \(pair.a) and \(pair.b)")
        }
        // This is done before a poll loop has the ports, because a ring may have only one producer at a time.
        try fill()
        var ids = ClassIDs()
        try plane.apply(model, trees: trees(of: model, ids: &ids))
        if load.sampled != 0 { _ = plane.beginSampling(rate: load.sampled, longest: 128) }
        guard let captured = load.captured else { return }
        for pair in pairs {
            var capture = CaptureSettings(.port(pair.a))
            capture.expression = captured
            _ = try plane.beginCapture(capture)
        }
    }

    /// Puts the frames into the rings. Frames that are received by `a` leave by `b`, whose transmit ring is `a`'s receive ring.
    private func fill() throws {
        for pair in pairs {
            for queue in 0..<UInt32(pair.queues) {
                for number in 0..<load.circulating {
                    for (side, port) in [pair.a, pair.b].enumerated() {
                        let frame = load.frame(from: side, number)
                        try Self.check(ring_ports_put(port, queue, frame, UInt16(frame.count)), "filling the ring of \(port)")
                    }
                }
            }
        }
    }

    private static func check(_ result: CInt, _ what: String) throws {
        guard result == 0 else { throw Failure("\(what) failed: \(String(cString: strerror(-result)))") }
    }

    /// A ring holds one frame less than its size, and all circulating frames may be in one ring.
    private static func ringSize(_ frames: Int) -> Int {
        var size = 64
        while size <= 2 * frames { size *= 2 }
        return size
    }

    /// - Throws: if a frame was lost, because then fewer frames circulate.
    func check() throws {
        let drops = plane.totals().drops
        guard drops.isEmpty else {
            throw Failure("frames were dropped: \(drops.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
        }
    }
}
