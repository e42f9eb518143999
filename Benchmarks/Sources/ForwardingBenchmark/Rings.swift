import ArgumentParser
import DataPlane

/// A guest's ring served a bounded number of times, for counting instructions. The guest's driver runs in between, in the same thread, so that the count is the
/// same on every run.
struct Rings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receive frames from a guest's ring, or send frames to it, so many times.",
        discussion: "Prints how many frames passed. Each is in one buffer. What a poll loop does beside reading and filling rings is not part of it.")

    @Option(help: "The ring's layout: split or packed.") var ring = "packed"
    @Flag(help: "Send to the guest instead of receiving from it.") var send = false
    @Option(help: "Bytes of a frame without FCS, 60 to 1514; 60 with --send.") var size = 60
    @Option(help: "Frames to count over.") var packets = 32_000

    private static let burst = 32, ringSize = 256, header = 12

    private var packed: Bool { ring == "packed" }

    mutating func validate() throws {
        guard ring == "split" || packed else { throw ValidationError("--ring takes split or packed") }
        // Longer frames that are sent come in several parts here.
        guard size == 60 || 60...1_514 ~= size && !send else { throw ValidationError("--size takes 60 to 1514 bytes, and 60 only with --send") }
        guard 32...10_000_000 ~= packets else { throw ValidationError("--packets takes 32 to 10000000") }
    }

    func run() throws {
        let trial = try RingTrial(buffers: 1_023, bufferSize: 2_048)
        trial.setUp(size: UInt16(Self.ringSize), isPacked: packed, hasOffloads: false)
        trial.stage([[UInt8]](repeating: [UInt8](repeating: 0x5a, count: size), count: Self.burst))
        var offered = 0, passed = 0
        while passed < packets {
            // So many more are available that the next burst can be seen.
            while offered < passed + 3 * Self.burst {
                offer(offered, to: trial.memory[0].host, at: trial.memory[1].start)
                offered += 1
            }
            if !packed { (trial.memory[0].host + 0x4_0002).storeBytes(of: UInt16(truncatingIfNeeded: offered), as: UInt16.self) }
            let count = send ? trial.sendStaged(Self.burst) : trial.drain(Self.burst)
            guard count == Self.burst else { throw Failure("of \(Self.burst) frames \(count) passed\(trial.fault.map { ": \($0)" } ?? "")") }
            passed += count
        }
        print("\(passed) packets")
    }

    /// Makes a buffer available, as a driver does whose buffers are used in order (virtio 1.2, 2.7.6 and 2.8.13).
    private func offer(_ place: Int, to ring: UnsafeMutableRawPointer, at memory: UInt64) {
        let number = place % Self.ringSize, isEvenLap = place / Self.ringSize % 2 == 0
        let descriptor = ring + 16 * number
        let direction: UInt16 = send ? 2 : 0
        descriptor.storeBytes(of: memory + UInt64(2_048 * number), as: UInt64.self)
        descriptor.storeBytes(of: UInt32(send ? 2_048 : size + Self.header), toByteOffset: 8, as: UInt32.self)
        if packed {
            descriptor.storeBytes(of: UInt16(number), toByteOffset: 12, as: UInt16.self)
            descriptor.storeBytes(of: direction | (isEvenLap ? 1 << 7 : 1 << 15), toByteOffset: 14, as: UInt16.self)
        } else {
            descriptor.storeBytes(of: direction, toByteOffset: 12, as: UInt16.self)
            (ring + 0x4_0004 + 2 * number).storeBytes(of: UInt16(number), as: UInt16.self)
        }
    }
}
