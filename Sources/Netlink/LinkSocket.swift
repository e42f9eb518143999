import CNetlink
import Glibc
import Packet

/// A connection to the kernel's routing netlink (rtnetlink(7)) in one network namespace, to look up and change interfaces.
///
/// It remains in the namespace in which it was opened, whatever thread uses it. Only one thread may use it at a time.
public final class LinkSocket {
    public let namespace: NetworkNamespace
    private let socket: OpaquePointer
    /// libnl's socket, for what stands in other files.
    var handle: OpaquePointer { socket }
    /// IFF_LOWER_UP, which only linux/if.h defines.
    private static let lowerUp: UInt32 = 1 << 16
    /// Socket for ethtool's ioctl, because not every kernel offers ethtool by netlink.
    private let control: CInt

    /// - Throws: `noSuchNamespace`, `notANamespace`, `notPermitted`, `unavailable`.
    public init(in namespace: NetworkNamespace = .current) throws(NetlinkError) {
        let opened = try namespace.run { () throws(NetlinkError) -> (OpaquePointer, CInt) in
            guard let socket = nl_socket_alloc() else { throw .unavailable(reason: "out of memory") }
            let status = nl_connect(socket, NETLINK_ROUTE)
            guard status == 0 else {
                nl_socket_free(socket)
                throw .unavailable(reason: Self.reason(status))
            }
            let control = Glibc.socket(AF_INET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            return (socket, control)
        }
        self.namespace = namespace
        (socket, control) = opened
    }

    deinit {
        nl_socket_free(socket)
        if control >= 0 { close(control) }
    }

    // MARK: - Looking up

    /// - Throws: `badName`, `noSuchLink`; `notPermitted` or `unavailable` if the kernel could not be asked.
    public func link(named name: String) throws(NetlinkError) -> Link {
        let link = try find(name)
        defer { rtnl_link_put(link) }
        return describe(link)
    }

    /// - Throws: `noSuchIndex`; `notPermitted` or `unavailable` if the kernel could not be asked.
    public func link(index: Int) throws(NetlinkError) -> Link {
        // libnl aborts the process if it is asked for an index that is not positive.
        guard index > 0, let number = CInt(exactly: index) else { throw .noSuchIndex(index: index, place: namespace.place) }
        let link = try find(number, nil, "interface \(index)", .noSuchIndex(index: index, place: namespace.place))
        defer { rtnl_link_put(link) }
        return describe(link)
    }

    /// Whether there is an interface of this name; false also for a text that cannot be a name.
    public func exists(_ name: String) -> Bool {
        guard let link = try? find(name) else { return false }
        rtnl_link_put(link)
        return true
    }

    /// Whether the interface's own side of the link is there (IFLA_CARRIER), whether it is set up or not. A tap's is, while a process holds a queue of it.
    ///
    /// - Throws: what `link(named:)` throws.
    public func hasCarrier(_ name: String) throws(NetlinkError) -> Bool {
        let link = try find(name)
        defer { rtnl_link_put(link) }
        return rtnl_link_get_carrier(link) != 0
    }

    /// All interfaces of the namespace, sorted by index.
    public func links() throws(NetlinkError) -> [Link] {
        var cache: OpaquePointer?
        let status = rtnl_link_alloc_cache(socket, AF_UNSPEC, &cache)
        guard status == 0, let cache else { throw .unavailable(reason: Self.reason(status)) }
        defer { nl_cache_free(cache) }
        var links: [Link] = []
        var object = nl_cache_get_first(cache)
        while let link = object {
            links.append(describe(link))
            object = nl_cache_get_next(link)
        }
        return links.sorted { $0.index < $1.index }
    }

    /// The number of receive queues that an interface uses now, which may be fewer than it was created with; 1 if its driver does not tell.
    public func activeReceiveQueues(of name: String) -> Int {
        var channels = ethtool_channels()
        channels.cmd = UInt32(ETHTOOL_GCHANNELS)
        guard ethtool(name, &channels) else { return 1 }
        return max(Int(channels.rx_count) + Int(channels.combined_count), 1)
    }

    /// The speed of an interface's link in Mbit/s; nil: it has none, or its driver does not tell.
    public func speed(of name: String) -> Int? {
        var settings = ethtool_cmd()
        settings.cmd = UInt32(ETHTOOL_GSET)
        guard ethtool(name, &settings) else { return nil }
        let speed = UInt32(settings.speed_hi) << 16 | UInt32(settings.speed)
        // SPEED_UNKNOWN is -1, of which some drivers only set the lower half.
        return speed == 0 || speed == .max || speed == 0xffff ? nil : Int(speed)
    }

    // MARK: - Changing

    /// Changes an interface in one request. The kernel sets the address first, then the MTU, then the interface up or down, and stops at the first change that
    /// it refuses; the changes before it remain (do_setlink in net/core/rtnetlink.c).
    ///
    /// - Throws: `badName`, `noSuchLink`, `notPermitted`, `refused`.
    public func change(_ name: String, _ change: LinkChange) throws(NetlinkError) {
        let doing = "\(change.words) on \(name)"
        if let mtu = change.mtu, mtu < 68 || mtu > 65_535 {
            throw .refused(doing: doing, reason: "an MTU is 68 to 65535 bytes")
        }
        if let mac = change.mac, mac.isMulticast || mac.isZero {
            throw .refused(doing: doing, reason: "an interface's own address is neither a group address nor all zero; clear the lowest bit of its first octet")
        }
        let link = try find(name)
        defer { rtnl_link_put(link) }
        if change.isEmpty { return }
        try withChanges { changes throws(NetlinkError) in
            if let mtu = change.mtu { rtnl_link_set_mtu(changes, UInt32(mtu)) }
            if let mac = change.mac { try Self.setAddress(mac, of: changes) }
            if let up = change.up {
                if up { rtnl_link_set_flags(changes, UInt32(IFF_UP)) } else { rtnl_link_unset_flags(changes, UInt32(IFF_UP)) }
            }
            if let promiscuous = change.promiscuous {
                if promiscuous { rtnl_link_set_flags(changes, UInt32(IFF_PROMISC)) } else { rtnl_link_unset_flags(changes, UInt32(IFF_PROMISC)) }
            }
            try check(rtnl_link_change(socket, link, changes, 0), doing: doing, name: name, place: namespace.place)
        }
    }

    public func setUp(_ name: String, _ up: Bool = true) throws(NetlinkError) { try change(name, LinkChange(up: up)) }
    public func setMTU(_ name: String, _ mtu: Int) throws(NetlinkError) { try change(name, LinkChange(mtu: mtu)) }
    public func setMAC(_ name: String, _ mac: MACAddress) throws(NetlinkError) { try change(name, LinkChange(mac: mac)) }

    /// Moves an interface to another namespace. It arrives there down and without IP addresses; a `LinkSocket` in that namespace can set it up.
    ///
    /// - Throws: what `change` throws, and `noSuchNamespace`, `notANamespace` and `nameTaken`.
    public func move(_ name: String, to target: NetworkNamespace) throws(NetlinkError) {
        let link = try find(name)
        defer { rtnl_link_put(link) }
        try target.withDescriptor { descriptor throws(NetlinkError) in
            try withChanges { changes throws(NetlinkError) in
                rtnl_link_set_ns_fd(changes, descriptor)
                let status = rtnl_link_change(socket, link, changes, 0)
                let doing = "move \(name) to the network namespace \(target.path ?? "of this process")"
                // The kernel says EINVAL where the descriptor is not a network namespace's.
                if status == -NLE_INVAL, let path = target.path { throw .notANamespace(path: path) }
                try check(status, doing: doing, name: name, place: target.place)
            }
        }
    }

    /// Removes a virtual interface.
    public func delete(_ name: String) throws(NetlinkError) {
        let link = try find(name)
        defer { rtnl_link_put(link) }
        try check(rtnl_link_delete(socket, link), doing: "delete \(name)", name: name, place: namespace.place)
    }

    // MARK: - Within

    /// The caller must release the link with `rtnl_link_put`.
    private func find(_ name: String) throws(NetlinkError) -> OpaquePointer {
        guard Self.isName(name) else { throw .badName(name) }
        return try find(0, name, name, .noSuchLink(name: name, place: namespace.place))
    }

    /// Looks an interface up by index or, if that is 0, by name. The caller must release the link with `rtnl_link_put`.
    private func find(_ index: CInt, _ name: String?, _ words: String, _ missing: NetlinkError) throws(NetlinkError) -> OpaquePointer {
        var link: OpaquePointer?
        let status = rtnl_link_get_kernel(socket, index, name, &link)
        guard status == 0, let link else {
            switch -status {
            case NLE_NODEV, NLE_OBJ_NOTFOUND: throw missing
            case NLE_PERM: throw .notPermitted(doing: "look up \(words)")
            default: throw .unavailable(reason: Self.reason(status))
            }
        }
        return link
    }

    /// Whether the kernel accepts the name: dev_valid_name in net/core/dev.c.
    static func isName(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 == 32 || (9...13).contains($0) || $0 == 0 }
    }

    private func withChanges(_ body: (OpaquePointer) throws(NetlinkError) -> Void) throws(NetlinkError) {
        guard let changes = rtnl_link_alloc() else { throw .unavailable(reason: "out of memory") }
        defer { rtnl_link_put(changes) }
        try body(changes)
    }

    private static func setAddress(_ mac: MACAddress, of link: OpaquePointer) throws(NetlinkError) {
        let octets = (0..<6).map { UInt8(truncatingIfNeeded: mac.value >> UInt64(40 - 8 * $0)) }
        // `rtnl_link_set_addr` takes a reference of its own, so ours is released below.
        guard let address = octets.withUnsafeBytes({ nl_addr_build(AF_UNSPEC, $0.baseAddress, 6) }) else {
            throw .unavailable(reason: "out of memory")
        }
        rtnl_link_set_addr(link, address)
        nl_addr_put(address)
    }

    private func check(_ status: CInt, doing: String, name: String, place: String) throws(NetlinkError) {
        switch -status {
        case 0: return
        case NLE_PERM, NLE_NOACCESS: throw .notPermitted(doing: doing)
        case NLE_EXIST: throw .nameTaken(name: name, place: place)
        case NLE_NODEV, NLE_OBJ_NOTFOUND: throw .noSuchLink(name: name, place: namespace.place)
        case NLE_INVAL, NLE_RANGE:
            throw .refused(doing: doing, reason: "the kernel calls it invalid for this interface; `ip -d link show \(name)` tells its limits")
        case NLE_OPNOTSUPP: throw .refused(doing: doing, reason: "this kind of interface does not support it")
        case NLE_BUSY: throw .refused(doing: doing, reason: "it is in use")
        default: throw .refused(doing: doing, reason: Self.reason(status))
        }
    }

    private static func reason(_ status: CInt) -> String { String(cString: nl_geterror(status)) }

    private func describe(_ link: OpaquePointer) -> Link {
        let name = String(cString: rtnl_link_get_name(link))
        let flags = rtnl_link_get_flags(link)
        let controller = Int(rtnl_link_get_master(link))
        return Link(
            index: Int(rtnl_link_get_ifindex(link)), name: name, kind: rtnl_link_get_type(link).map { String(cString: $0) },
            driver: driver(of: name), mtu: Int(rtnl_link_get_mtu(link)), mac: Self.address(of: link),
            isUp: flags & UInt32(IFF_UP) != 0, hasCarrier: flags & Self.lowerUp != 0,
            isLoopback: flags & UInt32(IFF_LOOPBACK) != 0, isPromiscuous: flags & UInt32(IFF_PROMISC) != 0,
            receiveQueues: Int(rtnl_link_get_num_rx_queues(link)), transmitQueues: Int(rtnl_link_get_num_tx_queues(link)),
            missed: rtnl_link_get_stat(link, RTNL_LINK_RX_MISSED_ERR), receiveErrors: rtnl_link_get_stat(link, RTNL_LINK_RX_ERRORS),
            controller: controller == 0 ? nil : controller)
    }

    private static func address(of link: OpaquePointer) -> MACAddress? {
        guard let address = rtnl_link_get_addr(link), nl_addr_get_len(address) == 6, let octets = nl_addr_get_binary_addr(address) else {
            return nil
        }
        let bytes = UnsafeRawBufferPointer(start: octets, count: 6)
        return MACAddress(value: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// ETHTOOL_GDRVINFO (linux/ethtool.h): the driver's name; nil if it does not have one.
    private func driver(of name: String) -> String? {
        var information = ethtool_drvinfo()
        information.cmd = UInt32(ETHTOOL_GDRVINFO)
        guard ethtool(name, &information) else { return nil }
        let driver = withUnsafeBytes(of: information.driver) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return driver.isEmpty ? nil : driver
    }

    /// Has the kernel carry out one of ethtool's commands; its structure `command` begins with the command's number. Returns whether it succeeded.
    private func ethtool<Command>(_ name: String, _ command: inout Command) -> Bool {
        guard control >= 0 else { return false }
        var request = interface_request()
        withUnsafeMutableBytes(of: &request.name) { $0.copyBytes(from: name.utf8.prefix(15)) }
        return withUnsafeMutablePointer(to: &command) { pointer in
            request.data = UnsafeMutableRawPointer(pointer)
            return ioctl(control, 0x8946 /* SIOCETHTOOL, linux/sockios.h */, &request) == 0
        }
    }
}
