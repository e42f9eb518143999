import CNetlink

extension LinkSocket {
    /// Makes an interface a port of a bridge, or takes it out of the one that it is a port of.
    /// - Parameter controller: the bridge's name; nil: none.
    /// - Throws: `badName`, `noSuchLink`, `notPermitted`, `refused`.
    public func setController(_ name: String, to controller: String?) throws(NetlinkError) {
        let index = CInt(try link(named: name).index)
        let status: CInt
        if let controller {
            status = rtnl_link_enslave_ifindex(handle, CInt(try link(named: controller).index), index)
        } else {
            status = rtnl_link_release_ifindex(handle, index)
        }
        guard status < 0 else { return }
        let doing = controller.map { "make \(name) a port of \($0)" } ?? "take \(name) out of its bridge"
        switch -status {
        case NLE_PERM, NLE_NOACCESS: throw .notPermitted(doing: doing)
        default: throw .refused(doing: doing, reason: String(cString: nl_geterror(status)))
        }
    }
}
