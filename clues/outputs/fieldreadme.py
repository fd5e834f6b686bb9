"""The page that goes with a field package: how to use it, in the words of who gets it."""

__all__ = ["README_NAMES", "readme"]

README_NAMES = {"zh": "说明.txt", "en": "README.txt"}

CHINESE = """{title}
外业核查包：{clues} 个线索{who}

一、包内文件
  {data}      图斑、中心点、核查登记卡、照片（GeoPackage）
  {project}      QGIS / QField 工程
  {images}
  {book}      核查图册（总图、索引、一图斑一页），可打印
  {kmz}      奥维、谷歌地球等可打开

二、手机（QField）
  1. 整个文件夹拷到手机，用 QField 打开工程文件。
  2. 点图斑 → “核查登记卡” → 填“核实认定意见”等；“照片”下新增，直接拍照。
  3. 拍照前打开手机定位，等卫星信号稳定；面向图斑拍，至少一张能看到地物全貌。
  4. 照片格式用 JPEG（相机设置里选“兼容性最佳”，不要 HEIC）。

三、拍照位置
  照片应在图斑内或图斑外 50 米以内拍摄；在图斑外拍摄时要面向图斑，照片须带方位角。
  拍摄日期应晚于后时相影像当日。
  不符合的照片也会收下，但会被标出，不作为该图斑的依据。

四、交回
  把整个文件夹（含 DCIM 照片文件夹）压缩成 zip 交回。不要改文件名、线索编号和图斑号。
  用普通相机或其他软件拍的照片，放在以线索编号命名的文件夹里即可。

五、说明
  “判定建议”是机器给出的，不是违法认定；认定以核查人员的意见为准。
  坐标系：{crs}。影像：{credit}
"""

ENGLISH = """{title}
Field package: {clues} clues{who}

1. What is in it
  {data}      patches, points, check cards, photos (GeoPackage)
  {project}      QGIS / QField project
  {images}
  {book}      map book to print: overview, index, one page per clue
  {kmz}      for globes and phones

2. On the phone (QField)
  1. Copy the whole folder to the phone and open the project in QField.
  2. Tap a patch, open its check card, fill in the finding; add photos below "Photos".
  3. Switch positions on and wait for a steady fix; face the patch; let one photo show all of it.
  4. Let the camera save JPEG, not HEIC.

3. Where to stand
  Inside the patch, or within 50 m of it facing it, with the azimuth in the photo; after the day of
  the later image. Other photos are taken too, but marked, and do not count for the patch.

4. Handing in
  Zip the whole folder with its folder DCIM. Change no names of files, clues or patches.
  Photos of other cameras go into a folder named by the clue number.

5. Mind
  The suggestion is the machine's and no verdict; only a person's finding is one.
  CRS: {crs}. Imagery: {credit}
"""


def readme(language: str, **facts: object) -> str:
    """Return the page.

    Parameters
    ----------
    language : {"zh", "en"}
    **facts
        ``title``, ``clues``, ``who``, ``data``, ``project``, ``images``, ``book``, ``kmz``,
        ``crs``, ``credit``.
    """
    page = CHINESE if language == "zh" else ENGLISH
    return page.format(**facts)
