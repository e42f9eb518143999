import DCB
import Synchronization

/// The sampling of all ports. The control thread begins and ends it; `take` and `counts` may be called on any thread.
public final class Sampler: @unchecked Sendable {
    /// One frame of so many is sampled on average.
    public let rate: Int
    /// The most bytes of a frame that are kept.
    public let longest: Int
    /// The state on each lcore.
    let states: [UnsafeMutablePointer<SampleState>]
    private let isOpen = Mutex(true)

    /// How many samples of one lcore may wait to be read.
    private static let slots = 2_048

    init(rate: Int, longest: Int, lcores: Int) {
        (self.rate, self.longest) = (rate, longest)
        states = (0..<lcores).map { _ in
            let state = UnsafeMutablePointer<SampleState>.onOwnLines(1)
            state.initialize(to: SampleState(rate: rate, longest: longest, slots: Self.slots, seed: .random(in: 0...(.max))))
            return state
        }
    }

    /// What became of the frames of one port: how many came, and how many samples were taken and lost.
    public struct Counts: Sendable {
        public var pool: UInt64 = 0
        public var taken: UInt64 = 0
        public var lost: UInt64 = 0
        public init() {}
    }

    /// Where a sampled frame leaves.
    public enum Output: Equatable, Sendable { case port(UInt16), several, none }

    /// All samples that have been taken since the last call; none if the sampler is closed.
    public func take() -> [FrameSample] {
        isOpen.withLock { isOpen in
            var samples: [FrameSample] = []
            if isOpen { for state in states { state.pointee.ring.take { samples.append(FrameSample($0, Array($1))) } } }
            return samples
        }
    }

    /// The counts of a port, by its index; they only grow. They are 0 if the sampler is closed.
    public func counts(of port: UInt16) -> Counts { counts(Int(port)..<Int(port) + 1) }

    /// The counts of all ports together.
    public var counts: Counts { counts(0..<maxPorts) }

    private func counts(_ ports: Range<Int>) -> Counts {
        isOpen.withLock { isOpen in
            var sum = Counts()
            guard isOpen, ports.upperBound <= maxPorts else { return sum }
            for state in states {
                for port in ports {
                    let source = state.pointee.sources[port]
                    sum.pool &+= source.pool
                    sum.taken &+= source.taken
                    sum.lost &+= source.lost
                }
            }
            return sum
        }
    }

    /// Frees everything. No poll loop may use it any more, which is so when `DataPlane.beginSampling` or `endSampling` has put another in its place.
    public func close() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            for state in states {
                state.deinitialize(count: 1)
                state.deallocate()
            }
        }
    }
}

/// What is known of a sampled frame.
public struct FrameSample: Sendable {
    /// Bytes of the whole frame without FCS.
    public let length: UInt32
    /// The index of the port that it came in by.
    public let input: UInt16
    public let output: Sampler.Output
    /// The VLAN that it is in; 0: its bridge has none.
    public let vlan: UInt16
    /// The priority code point that it is given; nil: it keeps what it has.
    public let priority: UInt8?
    /// The first bytes of the frame.
    public let bytes: [UInt8]

    init(_ record: SampleRecord, _ bytes: [UInt8]) {
        self.bytes = bytes
        (length, input, vlan) = (record.length, record.input, record.vlan)
        output = switch record.output {
        case flooded: .several
        case SampleRecord.dropped: .none
        default: .port(record.output)
        }
        priority = record.priority == PriorityTagger.leave ? nil : record.priority
    }
}
