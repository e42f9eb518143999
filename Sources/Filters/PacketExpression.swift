import Glibc
import Synchronization

/// A pcap expression compiled to classic BPF.
public struct PacketProgram: Equatable, Sendable {
    /// The instructions, 8 bytes each in libpcap's layout (struct bpf_insn: code 16 bits, two jumps 8 bits each, constant 32 bits).
    public var instructions: [UInt64]
    /// Whether the expression matches on VLANs: then the program must be shown frames with their tags, otherwise without them.
    public var seesTags: Bool
}

/// Compiles expressions of pcap-filter(7) with libpcap. The library is loaded when it is first needed, so that nothing is spent on it where there are no
/// expressions.
public enum PacketExpression {
    /// Whether libpcap can be loaded. It is installed along with DPDK.
    public static var isAvailable: Bool { library != nil }

    /// - Returns: a sentence that says what is wrong with the expression; nil if nothing is, or if libpcap is missing and so nobody can tell.
    public static func fault(of expression: String) -> String? {
        if case .failure(let fault) = result(of: expression), isAvailable { fault.sentence } else { nil }
    }

    /// - Throws: a sentence that says what is wrong with the expression, or that libpcap is missing.
    public static func program(of expression: String) throws(Fault) -> PacketProgram { try result(of: expression).get() }

    public struct Fault: Error, CustomStringConvertible {
        var sentence: String
        public var description: String { sentence }
    }

    /// The most bytes of an expression. The time that libpcap takes grows with the square of the length; for this length it is some milliseconds.
    public static let longest = 4_096

    /// Results of expressions, and about how many bytes they take.
    private struct Known {
        var results: [String: Result<PacketProgram, Fault>] = [:]
        var bytes = 0
    }

    private static let known = Mutex(Known())
    private static let mostKnown = 32 << 20

    /// Compiles each expression once and keeps the result. The lock also has one thread at a time use libpcap.
    private static func result(of expression: String) -> Result<PacketProgram, Fault> {
        let length = expression.utf8.count
        guard length <= longest else {
            let sentence = "an expression has at most \(longest) bytes, and '\(expression.prefix(40))...' has \(length): write several rules, or networks instead of addresses"
            return .failure(Fault(sentence: sentence))
        }
        return known.withLock { known in
            if let result = known.results[expression] { return result }
            let result = Result { () throws(Fault) in try compile(expression) }
            // An error quotes the expression.
            let bytes = 256 + 2 * length + ((try? result.get().instructions.count) ?? 0) * 8
            if known.bytes + bytes > mostKnown { known = Known() }
            known.results[expression] = result
            known.bytes += bytes
            return result
        }
    }

    // MARK: libpcap

    private struct Library {
        var open: @convention(c) (CInt, CInt) -> OpaquePointer?
        var compile: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer, UnsafePointer<CChar>, CInt, UInt32) -> CInt
        var error: @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
        var free: @convention(c) (UnsafeMutableRawPointer) -> Void
        var close: @convention(c) (OpaquePointer?) -> Void

        init?() {
            // The library's name on Debian, and its name everywhere else.
            guard let handle = dlopen("libpcap.so.0.8", RTLD_NOW) ?? dlopen("libpcap.so.1", RTLD_NOW), let open = dlsym(handle, "pcap_open_dead"),
                let compile = dlsym(handle, "pcap_compile"), let error = dlsym(handle, "pcap_geterr"), let free = dlsym(handle, "pcap_freecode"),
                let close = dlsym(handle, "pcap_close")
            else { return nil }
            self.open = unsafeBitCast(open, to: (@convention(c) (CInt, CInt) -> OpaquePointer?).self)
            self.compile = unsafeBitCast(
                compile, to: (@convention(c) (OpaquePointer?, UnsafeMutableRawPointer, UnsafePointer<CChar>, CInt, UInt32) -> CInt).self)
            self.error = unsafeBitCast(error, to: (@convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?).self)
            self.free = unsafeBitCast(free, to: (@convention(c) (UnsafeMutableRawPointer) -> Void).self)
            self.close = unsafeBitCast(close, to: (@convention(c) (OpaquePointer?) -> Void).self)
        }
    }

    private static let library = Library()

    /// struct bpf_program, as pcap.h declares it.
    private struct Program {
        var count: CUnsignedInt = 0
        var instructions: UnsafePointer<UInt64>?
    }

    /// DLT_EN10MB, the snapshot length (the longest possible frame), and PCAP_NETMASK_UNKNOWN.
    private static let ethernet: CInt = 1, longestFrame: CInt = 65_535, noMask = UInt32.max
    /// The limit on instructions: rules that cannot be joined are run one by one on each frame, and the time that librte_bpf takes to check a program grows faster
    /// than its length.
    private static let most = 1_000

    private static func compile(_ expression: String) throws(Fault) -> PacketProgram {
        guard let library else { throw Fault(sentence: "libpcap, which makes programs of expressions, is not on this host: install libpcap0.8") }
        func refused(_ reason: String) -> Fault { Fault(sentence: "the expression '\(expression)' is refused: \(reason)") }
        let words = words(of: expression)
        if let name = hostName(words) {
            throw refused("\(name) is no word of pcap-filter(7), and as a host's name it would be looked up but once: write an address")
        }
        guard let pcap = library.open(ethernet, longestFrame) else { throw refused("there is no memory for it") }
        defer { library.close(pcap) }
        var program = Program()
        guard library.compile(pcap, &program, expression, 1, noMask) == 0 else {
            let reason = library.error(pcap).map { String(cString: $0) } ?? "libpcap does not say why"
            throw refused("\(reason) (pcap-filter(7) has what may be written)")
        }
        defer { library.free(&program) }
        let instructions = Array(UnsafeBufferPointer(start: program.instructions, count: Int(program.count)))
        if instructions.count > most {
            throw refused("it takes \(instructions.count) steps, and a rule has at most \(most): write several rules")
        }
        if let reason = instructions.lazy.compactMap(reasonAgainst).first { throw refused(reason) }
        return PacketProgram(instructions: instructions, seesTags: words.contains("vlan"))
    }

    /// Why an instruction cannot be run on frames here; nil if it can.
    private static func reasonAgainst(_ instruction: UInt64) -> String? {
        let code = instruction & 0xffff, constant = UInt32(truncatingIfNeeded: instruction >> 32)
        // BPF_JMP | BPF_JA with a negative offset: a backward jump.
        if code == 0x05, Int32(bitPattern: constant) < 0 { return "it has a loop (protochain), and rules have none: name the headers one by one" }
        // BPF_LD or BPF_LDX with the mode BPF_ABS, BPF_IND or BPF_MSH: it reads the frame.
        let isLoad = code & 0x07 <= 1 && [0x20, 0x40, 0xa0].contains(code & 0xe0)
        // libpcap uses offsets at the very end of the 32-bit range for extensions that only the kernel implements.
        if isLoad, constant >= 0xffff_f000 { return "it asks for what only a capture knows (inbound, outbound, ifindex), or for what is in front of a frame" }
        if isLoad, constant > 0xffff { return "it looks at a place, \(constant), that no frame has" }
        return nil
    }

    // MARK: Names

    /// The expression's words in lower case.
    private static func words(of expression: String) -> [String] {
        expression.lowercased().split { !($0.isLetter || $0.isNumber || "._:-\\/".contains($0)) }.map(String.init)
    }

    /// The first word that libpcap would resolve as a host name: it is neither a keyword nor an address, and does not stand where the name of a port or
    /// protocol is expected.
    private static func hostName(_ words: [String]) -> String? {
        var mayBeHost = true
        for word in words {
            if ["host", "net", "mask", "gateway", "src", "dst", "addr1", "addr2", "addr3", "addr4", "ra", "ta"].contains(word) {
                mayBeHost = true
            } else if ["port", "portrange", "proto", "protochain", "type", "subtype", "dir", "direction"].contains(word) {
                mayBeHost = false
            } else if mayBeHost, let first = word.first, first.isLetter, !word.contains(":"), !own.contains(word) {
                return word
            }
        }
        return nil
    }

    /// The keywords of pcap-filter(7).
    private static let own = Set(
        """
        and or not ether ppp slip fddi tr wlan link arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6 ah esp atalk aarp decnet lat sca moprc \
        mopdl iso esis es-is isis is-is l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui less greater byte broadcast multicast len length inbound outbound ifindex vlan \
        mpls pppoed pppoes geneve vxlan lane llc metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic connectmsg metaconnect vpi vci sio opc dpc sls hsio hopc hdpc hsls lssu fisu \
        msu hlssu hfisu hmsu ifname on rnr rulenum reason rset srnr ruleset action i s u rr rej ui ua disc dm sabme sabm test xid frmr pf \
        icmptype icmpcode icmp6type icmp6code tcpflags tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr icmp-echoreply icmp-unreach \
        icmp-sourcequench icmp-redirect icmp-echo icmp-routeradvert icmp-routersolicit icmp-timxceed icmp-paramprob icmp-tstamp icmp-tstampreply icmp-ireq \
        icmp-ireqreply icmp-maskreq icmp-maskreply icmp6-destinationunreach icmp6-packettoobig icmp6-timeexceeded icmp6-parameterproblem icmp6-echo \
        icmp6-echoreply icmp6-multicastlistenerquery icmp6-multicastlistenerreportv1 icmp6-multicastlistenerdone icmp6-routersolicit icmp6-routeradvert \
        icmp6-neighborsolicit icmp6-neighboradvert icmp6-redirect icmp6-routerrenum icmp6-nodeinformationquery icmp6-nodeinformationresponse \
        icmp6-ineighbordiscoverysolicit icmp6-ineighbordiscoveryadvert icmp6-multicastlistenerreportv2 icmp6-homeagentdiscoveryrequest \
        icmp6-homeagentdiscoveryreply icmp6-mobileprefixsolicit icmp6-mobileprefixadvert icmp6-certpathsolicit icmp6-certpathadvert \
        icmp6-multicastrouteradvert icmp6-multicastroutersolicit icmp6-multicastrouterterm
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
