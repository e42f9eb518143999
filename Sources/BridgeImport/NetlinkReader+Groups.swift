import Packet

/// The multicast groups of a bridge that were joined by hand.
public struct KernelGroups: Equatable, Sendable {
    /// The bridge's index.
    public var index: Int
    /// The groups in bridge(8)'s words.
    public var permanent: [String] = []

    /// - Parameters:
    ///   - message: the payload of RTM_NEWMDB: struct br_port_msg and attributes (linux/if_bridge.h).
    ///   - name: the interface of an index.
    public init?(_ message: [UInt8], name: (Int) -> String?) {
        guard let index = NetlinkReader(message, skipping: 0)?.u32(4), let attributes = NetlinkReader(message, skipping: 8)?.attributes else { return nil }
        self.index = Int(index)
        // MDBA_MDB holds MDBA_MDB_ENTRY, and that MDBA_MDB_ENTRY_INFO, a struct br_mdb_entry.
        for entry in attributes[1]?.list ?? [] where entry.type == 1 {
            for (type, value) in entry.value.list where type == 1 {
                guard value.u8(4) == 1 /* MDB_PERMANENT */, let port = value.u32(0), let kind = value.be16(24) else { continue }
                let address = Array(value.bytes.dropFirst(8).prefix(kind == EtherTypes.ipv4 ? 4 : 16))
                let group = AddressWords.text(address, kind == EtherTypes.ipv4 ? 2 : 10) ?? "?"
                let vlan = value.u16(6).flatMap { $0 == 0 ? nil : " vid \($0)" } ?? ""
                permanent.append("dev \(name(Int(index)) ?? "?") port \(name(Int(port)) ?? "?") grp \(group) permanent\(vlan)")
            }
        }
    }
}
