/// Writes a pcapng file (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html) block by block, in little-endian order.
/// librte_pcapng 22.11 writes no comments, and only to files; so it is not used.
package struct PcapngWriter {
    /// The bytes written since `take` was called.
    private var bytes: [UInt8] = []
    private var interfaces: [String: UInt32] = [:]
    private let filter: String?
    private let longest: UInt32

    /// Begins with the header of the only section.
    /// - Parameters:
    ///   - application: the program's name and version.
    ///   - filter: the expression of the capture; nil: it has none.
    ///   - longest: bytes that are kept of a frame at most.
    package init(application: String, filter: String?, longest: Int) {
        self.filter = filter
        self.longest = UInt32(clamping: longest)
        block(0x0a0d_0d0a) { body in
            // Byte order, version 1.0, and that the section's length is not known.
            Self.append(UInt32(0x1a2b_3c4d), &body)
            Self.append(UInt16(1), &body)
            Self.append(UInt16(0), &body)
            Self.append(UInt64.max, &body)
            Self.option(4, Array(application.utf8), &body)
            Self.endOptions(&body)
        }
    }

    package mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    package var count: Int { bytes.count }

    /// A direction as `epb_flags` has it.
    package enum Direction: UInt32 { case unknown = 0, inbound = 1, outbound = 2 }

    /// Writes a frame, and in front of it a description of its interface if that has had none yet.
    /// - Parameters:
    ///   - time: nanoseconds since 1970.
    ///   - length: the length of the whole frame, of which `frame` may be only the first part.
    package mutating func write(_ frame: [UInt8], length: Int, time: UInt64, interface: String, direction: Direction, comment: String) {
        let number = describe(interface)
        block(6) { body in
            Self.append(number, &body)
            Self.append(UInt32(truncatingIfNeeded: time >> 32), &body)
            Self.append(UInt32(truncatingIfNeeded: time), &body)
            Self.append(UInt32(frame.count), &body)
            Self.append(UInt32(clamping: length), &body)
            body += frame
            Self.pad(&body)
            if !comment.isEmpty { Self.option(1, Array(comment.utf8), &body) }
            Self.option(2, Self.bytes(of: direction.rawValue), &body)
            Self.endOptions(&body)
        }
    }

    /// Writes the statistics of the whole capture, as those of the first interface.
    /// - Parameters:
    ///   - matched: frames that the capture was meant to have.
    ///   - lost: how many of them it does not have.
    package mutating func writeStatistics(time: UInt64, matched: UInt64, lost: UInt64, delivered: UInt64, comment: String) {
        if interfaces.isEmpty { return }
        block(5) { body in
            Self.append(UInt32(0), &body)
            Self.append(UInt32(truncatingIfNeeded: time >> 32), &body)
            Self.append(UInt32(truncatingIfNeeded: time), &body)
            if !comment.isEmpty { Self.option(1, Array(comment.utf8), &body) }
            // isb_filteraccept, isb_osdrop, isb_usrdeliv
            Self.option(6, Self.bytes(of: matched), &body)
            Self.option(7, Self.bytes(of: lost), &body)
            Self.option(8, Self.bytes(of: delivered), &body)
            Self.endOptions(&body)
        }
    }

    /// The number of an interface. A description is written when its first frame comes, or when this is first called.
    @discardableResult
    package mutating func describe(_ name: String) -> UInt32 {
        if let number = interfaces[name] { return number }
        let number = UInt32(interfaces.count)
        interfaces[name] = number
        block(1) { [filter, longest] body in
            // LINKTYPE_ETHERNET, and two reserved bytes.
            Self.append(UInt16(1), &body)
            Self.append(UInt16(0), &body)
            Self.append(longest, &body)
            // if_name; if_tsresol: nanoseconds; if_filter: the 0 says that it is an expression of libpcap's.
            Self.option(2, Array(name.utf8), &body)
            Self.option(9, [9], &body)
            if let filter { Self.option(11, [0] + Array(filter.utf8), &body) }
            Self.endOptions(&body)
        }
        return number
    }

    private mutating func block(_ type: UInt32, _ fill: (inout [UInt8]) -> Void) {
        var body: [UInt8] = []
        fill(&body)
        let length = UInt32(body.count + 12)
        Self.append(type, &bytes)
        Self.append(length, &bytes)
        bytes += body
        Self.append(length, &bytes)
    }

    private static func option(_ code: UInt16, _ value: [UInt8], _ body: inout [UInt8]) {
        let value = value.prefix(Int(UInt16.max))
        append(code, &body)
        append(UInt16(value.count), &body)
        body += value
        pad(&body)
    }

    private static func endOptions(_ body: inout [UInt8]) { append(UInt32(0), &body) }

    /// Fills up to a multiple of 32 bits. What comes before is a multiple of it already.
    private static func pad(_ body: inout [UInt8]) { while body.count % 4 != 0 { body.append(0) } }

    private static func append(_ value: some FixedWidthInteger, _ body: inout [UInt8]) { body += bytes(of: value) }
    private static func bytes<T: FixedWidthInteger>(of value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}
