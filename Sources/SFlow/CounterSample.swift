/// The counters of one port: the structure `counters_sample` with the records `if_counters` (sFlow version 5, 5.3.3) and `port_name` (sFlow OpenFlow
/// structures), which is what collectors show instead of the ifIndex.
public struct CounterSample: Equatable, Sendable {
    /// What came in by a port, or left by it.
    public struct Direction: Equatable, Sendable {
        public var bytes: UInt64 = 0
        public var frames: UInt64 = 0
        public var discards: UInt64 = 0
        public var errors: UInt64 = 0
        public init(bytes: UInt64 = 0, frames: UInt64 = 0, discards: UInt64 = 0, errors: UInt64 = 0) {
            (self.bytes, self.frames, self.discards, self.errors) = (bytes, frames, discards, errors)
        }
    }

    /// The number of this sample among those of its port, from 1 on.
    public var sequence: UInt32 = 0
    public var index: UInt32 = 0
    public var name = ""
    /// In bit/s; 0: it is not known.
    public var speed: UInt64 = 0
    public var isUp = false
    public var received = Direction()
    public var sent = Direction()

    public init() {}

    /// `ethernetCsmacd` of IANAifType-MIB, and full duplex as `ifDirection`.
    private static let type: UInt32 = 6, fullDuplex: UInt32 = 1
    /// Stands in place of a counter that there is not.
    private static let unknown = UInt32.max

    func write(_ xdr: inout XDR) {
        xdr.append(format: 2) { sample in
            sample.append(sequence)
            sample.append(index & 0xff_ffff)
            sample.append(UInt32(2))
            sample.append(format: 1) { record in
                record.append(index)
                record.append(Self.type)
                record.append(speed)
                record.append(Self.fullDuplex)
                // ifAdminStatus is bit 0, ifOperStatus is bit 1.
                record.append(isUp ? 3 : 1 as UInt32)
                Self.write(received, &record)
                record.append(Self.unknown)
                Self.write(sent, &record)
                // ifPromiscuousMode: a bridge's port takes frames for anybody.
                record.append(UInt32(1))
            }
            sample.append(format: 1_005) { $0.append(opaque: Array(name.utf8.prefix(255))) }
        }
    }

    /// Frames to one address, to groups and to all are counted together, as unicast ones. The counters of 32 bits wrap around.
    private static func write(_ direction: Direction, _ record: inout XDR) {
        record.append(direction.bytes)
        record.append(UInt32(truncatingIfNeeded: direction.frames))
        record.append(unknown)
        record.append(unknown)
        record.append(UInt32(truncatingIfNeeded: direction.discards))
        record.append(UInt32(truncatingIfNeeded: direction.errors))
    }
}
