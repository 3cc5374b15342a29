//! TLS in front of a neighbour, with a certificate that is right, or wrong in one way.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Whose certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Its own.
    Good,
    /// One of the right authority for another name.
    OtherName,
    /// One with the right name from an authority that nobody trusts.
    OtherAuthority,
}

/// An authority; Envoy trusts it.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) file: PathBuf,
}

impl Authority {
    pub(crate) fn new(directory: &Path) -> Self {
        let file = directory.join("authority.crt");
        let (issuer, certificate) = authority();
        std::fs::write(&file, certificate).expect("write the authority's certificate");
        Self { issuer, file }
    }

    /// A server that takes TLS off and passes on what is in it.
    pub(crate) async fn front(&self, name: &str, certificate: Certificate, target: SocketAddr) -> SocketAddr {
        let name = if certificate == Certificate::OtherName { "elsewhere.example" } else { name };
        let strangers = authority().0;
        let issuer = if certificate == Certificate::OtherAuthority { &strangers } else { &self.issuer };
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let leaf = params.signed_by(&key, issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).expect("TLS");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut inside = acceptor.accept(stream).await?;
                    let mut target = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut inside, &mut target).await
                });
            }
        });
        address
    }
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new([]).expect("no name");
    // Not the name that leaves have by default: one that names itself as its issuer would count as self-signed.
    params.distinguished_name.push(DnType::CommonName, "an authority of a test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), certificate)
}
