import CNetlink
import Glibc

/// A connection to the kernel's routing netlink for messages as they are: dumps of tables that libnl's objects do not hold, and requests made of the
/// kernel's own answers. As `LinkSocket`, it stays in the namespace in which it was opened, and is used by one thread at a time.
public final class RouteSocket {
    public let namespace: NetworkNamespace
    private let socket: OpaquePointer

    /// - Throws: `noSuchNamespace`, `notANamespace`, `notPermitted`, `unavailable`.
    public init(in namespace: NetworkNamespace = .current) throws(NetlinkError) {
        socket = try namespace.run { () throws(NetlinkError) -> OpaquePointer in
            guard let socket = nl_socket_alloc() else { throw .unavailable(reason: "out of memory") }
            let status = nl_connect(socket, NETLINK_ROUTE)
            guard status == 0 else {
                nl_socket_free(socket)
                throw .unavailable(reason: String(cString: nl_geterror(status)))
            }
            // A message of a dump may be longer than a page, as one with 4094 VLANs is.
            nl_socket_enable_msg_peek(socket)
            return socket
        }
        self.namespace = namespace
    }

    deinit { nl_socket_free(socket) }

    /// The most messages that one dump may have, which is more than any table that is read has.
    private static let most = 2_000_000
    /// How often a dump is begun again that the kernel says has changed while it was read.
    private static let tries = 8

    /// All messages of a table, without their netlink headers.
    /// - Parameters:
    ///   - type: such as RTM_GETQDISC.
    ///   - request: the request's fixed part with its attributes.
    /// - Throws: `refused` with `doing` if the kernel does not answer.
    public func dump(_ type: CInt, _ request: [UInt8], doing: String) throws(NetlinkError) -> [[UInt8]] {
        for attempt in 1...Self.tries {
            let collector = Collector()
            let status = exchange(type, NLM_F_DUMP, request, collector)
            // The table changed meanwhile, so that something may be missing or twice.
            if status == -NLE_DUMP_INTR, attempt < Self.tries { continue }
            try check(status, doing)
            return collector.messages
        }
        return []
    }

    /// The kernel's only answer to a request that is no dump; nil: it says that there is nothing of this kind.
    public func ask(_ type: CInt, _ request: [UInt8], doing: String) throws(NetlinkError) -> [UInt8]? {
        let collector = Collector()
        let status = exchange(type, 0, request, collector)
        if [NLE_OPNOTSUPP, NLE_NODEV, NLE_OBJ_NOTFOUND].contains(-status) { return nil }
        try check(status, doing)
        return collector.messages.first
    }

    /// Has the kernel change something, and waits until it has.
    /// - Parameter flags: such as NLM_F_CREATE.
    public func change(_ type: CInt, _ flags: CInt = 0, _ request: [UInt8], doing: String) throws(NetlinkError) {
        try check(exchange(type, flags | NLM_F_ACK, request, Collector()), doing)
    }

    private func check(_ status: CInt, _ doing: String) throws(NetlinkError) {
        if status >= 0 { return }
        switch -status {
        case NLE_PERM, NLE_NOACCESS: throw .notPermitted(doing: doing)
        default: throw .refused(doing: doing, reason: String(cString: nl_geterror(status)))
        }
    }

    /// Sends a request and reads until its answer is complete. Returns 0, or libnl's error as a negative number.
    private func exchange(_ type: CInt, _ flags: CInt, _ request: [UInt8], _ collector: Collector) -> CInt {
        let isAcknowledged = flags & NLM_F_ACK != 0
        if isAcknowledged { nl_socket_enable_auto_ack(socket) } else { nl_socket_disable_auto_ack(socket) }
        var bytes = request
        let sent = nl_send_simple(socket, type, flags, &bytes, bytes.count)
        guard sent >= 0 else { return sent }
        if isAcknowledged { return nl_wait_for_ack(socket) }
        let context = Unmanaged.passUnretained(collector).toOpaque()
        nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, { message, context in
            guard let message, let context, let header = nlmsg_hdr(message), let payload = nlmsg_data(header) else { return CInt(NL_OK.rawValue) }
            let collector = Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue()
            guard collector.messages.count < RouteSocket.most else { return CInt(NL_STOP.rawValue) }
            collector.messages.append(Array(UnsafeRawBufferPointer(start: payload, count: Int(max(nlmsg_datalen(header), 0)))))
            return CInt(NL_OK.rawValue)
        }, context)
        defer { nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, nil, nil) }
        return withExtendedLifetime(collector) { min(nl_recvmsgs_default(socket), 0) }
    }

    private final class Collector { var messages: [[UInt8]] = [] }
}
