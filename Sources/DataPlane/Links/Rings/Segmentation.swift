import DPDKShim

/// Which frames of up to 64 KiB, that are to be cut, pass between a guest or a device and this switch as one.
struct Segmentation: Equatable {
    /// 1: TCP over IPv4. 2: TCP over IPv6. 4 and 8: UDP over these.
    let rawValue: UInt8

    @inline(__always) @_noLocks
    init(rawValue: UInt8) { self.rawValue = rawValue }
    init(tcp4: Bool, tcp6: Bool, udp4: Bool = false, udp6: Bool = false) {
        rawValue = (tcp4 ? 1 : 0) | (tcp6 ? 2 : 0) | (udp4 ? 4 : 0) | (udp6 ? 8 : 0)
    }

    /// Whether a frame with these flags is among them.
    @inline(__always) @_noLocks
    func has(_ flags: UInt64) -> Bool {
        let version: UInt8 = flags & sluice_flag_tx_ipv6 != 0 ? 2 : 1
        return rawValue & (flags & sluice_flag_tx_udp_segments != 0 ? version &<< 2 : version) != 0
    }
}
