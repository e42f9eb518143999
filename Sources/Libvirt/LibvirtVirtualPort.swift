import Configuration

/// libvirt's `<virtualport>` element (util/virnetdevvportprofile.c): what libvirt would tell another kind of switch about an interface. It is read and
/// inherited, but changes nothing about ports and guests.
public struct LibvirtVirtualPort: Equatable, Sendable {
    /// `openvswitch`, `802.1Qbg` and so on; nil if the element does not say it, so that the network's type applies.
    public var type: String?
    /// The attributes of `<parameters>`: `profileid`, `interfaceid` and so on.
    public var parameters: [String: String]

    public init(type: String? = nil, parameters: [String: String] = [:]) { self.type = type; self.parameters = parameters }

    init(_ element: XMLTree) {
        self.init(type: element.attributes["type"], parameters: element.first("parameters")?.attributes ?? [:])
    }

    /// The union of this and `other`; nil if they contradict each other, which libvirt refuses.
    func merged(_ other: LibvirtVirtualPort) -> LibvirtVirtualPort? {
        if let type, let name = other.type, type != name { return nil }
        var result = LibvirtVirtualPort(type: type ?? other.type, parameters: parameters)
        for (key, value) in other.parameters {
            if let own = parameters[key], own != value { return nil }
            result.parameters[key] = value
        }
        return result
    }
}
