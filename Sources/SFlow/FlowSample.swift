/// Where a sampled frame leaves, as sFlow's `interface` has it (sFlow version 5, 5.3.1): two bits for the form, 30 for the value.
public enum OutputInterface: Equatable, Sendable {
    /// One interface, by its ifIndex.
    case one(UInt32)
    /// Several interfaces, such as of a frame that is flooded; how many they are is not told.
    case several
    /// The frame was dropped. Why is not told.
    case discarded

    /// The reason "unknown" of a frame that was discarded. Lower reasons are codes of ICMP's "destination unreachable".
    private static let unknownReason: UInt32 = 256

    public var word: UInt32 {
        switch self {
        case .one(let index): index & 0x3fff_ffff
        case .discarded: 1 << 30 | Self.unknownReason
        case .several: 2 << 30
        }
    }
}

/// A sampled frame: the structure `flow_sample` with the records `sampled_header` and `extended_switch` (sFlow version 5, 5.3.2).
public struct FlowSample: Equatable, Sendable {
    /// The number of this sample among those of its source, from 1 on.
    public var sequence: UInt32 = 0
    /// The ifIndex of the port that the frame came in by, which is also the source of the sample.
    public var input: UInt32 = 0
    public var output = OutputInterface.discarded
    /// One frame of so many is sampled on average.
    public var rate: UInt32 = 1
    /// How many frames the source has had from which samples were taken.
    public var pool: UInt32 = 0
    /// How many of its samples were lost.
    public var drops: UInt32 = 0
    /// Bytes of the whole frame without FCS, and the first of them.
    public var length: UInt32 = 0
    public var header: [UInt8] = []
    /// The VLAN and the priority code point with which the frame came in, and those with which it leaves; 0: it has none.
    public var sourceVLAN: UInt32 = 0
    public var sourcePriority: UInt32 = 0
    public var destinationVLAN: UInt32 = 0
    public var destinationPriority: UInt32 = 0

    public init() {}

    /// `ETHERNET-ISO88023` among the header protocols, and the bytes of the FCS, which `frame_length` includes although nobody sees it.
    private static let ethernet: UInt32 = 1, fcs: UInt32 = 4

    func write(_ xdr: inout XDR) {
        xdr.append(format: 1) { sample in
            sample.append(sequence)
            // The two kinds of source, 0 for interfaces, stand above 24 bits of the ifIndex.
            sample.append(input & 0xff_ffff)
            sample.append(rate)
            sample.append(pool)
            sample.append(drops)
            sample.append(input)
            sample.append(output.word)
            sample.append(UInt32(2))
            sample.append(format: 1) { record in
                record.append(Self.ethernet)
                record.append(length &+ Self.fcs)
                record.append(Self.fcs)
                record.append(opaque: header)
            }
            sample.append(format: 1_001) { record in
                for value in [sourceVLAN, sourcePriority, destinationVLAN, destinationPriority] { record.append(value) }
            }
        }
    }
}
